"""Bytes of memory at addresses, eight and sixty-four at a time, inside compiled kernels.

numba reads an array byte by byte, and counts references where an array is handed to a helper. These helpers take an
address instead, `array.ctypes.data` plus an offset. Nobody guards the bounds: a kernel reads only what it was given.
Words are little-endian, as on every processor that numba compiles for.
"""

# ruff: noqa: ANN001, ANN201, ANN202 - numba infers the types of kernels

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir

from understudy import compiling as nb
from understudy.compiling import cgutils, intrinsic, types

_BYTE, _INT, _LONG = ir.IntType(8), ir.IntType(32), ir.IntType(64)
_BYTES64 = ir.VectorType(_BYTE, 64)

SPARE = 64
"""Bytes that must be readable behind those which a kernel looks at many at once."""

_EIGHT = np.uint64(8)
_ONE = np.uint64(1)


def _loaded(builder: Any, address: Any, kind: Any) -> Any:
    return builder.load(builder.inttoptr(address, kind.as_pointer()), align=1)


def _wide(builder: Any, value: Any) -> Any:
    return builder.zext(value, _LONG) if value.type.width < _LONG.width else value


@intrinsic
def load8(typing_context, address):  # type: ignore[no-untyped-def]
    """Return the byte at an address (int64) as int64."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return _wide(builder, _loaded(builder, args[0], _BYTE))

    return types.int64(types.int64), emit


@intrinsic
def load32(typing_context, address):  # type: ignore[no-untyped-def]
    """Return the four bytes at an address (int64) as uint64."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return _wide(builder, _loaded(builder, args[0], _INT))

    return types.uint64(types.int64), emit


@intrinsic
def load64(typing_context, address):  # type: ignore[no-untyped-def]
    """Return the eight bytes at an address (int64) as uint64."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return _loaded(builder, args[0], _LONG)

    return types.uint64(types.int64), emit


@intrinsic
def store8(typing_context, address, number):  # type: ignore[no-untyped-def]
    """Write the lowest byte of an int64 at an address (int64)."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        builder.store(builder.trunc(args[1], _BYTE), builder.inttoptr(args[0], _BYTE.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), emit


@intrinsic
def store64(typing_context, address, word):  # type: ignore[no-untyped-def]
    """Write a uint64 as eight bytes at an address (int64)."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        builder.store(args[1], builder.inttoptr(args[0], _LONG.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.uint64), emit


@intrinsic
def int32_at(typing_context, address, index):  # type: ignore[no-untyped-def]
    """Return one of the int32 that stand in a row at an address (int64)."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        place = builder.gep(builder.inttoptr(args[0], _INT.as_pointer()), [args[1]])
        return builder.sext(builder.load(place, align=4), _LONG)

    return types.int64(types.int64, types.int64), emit


@intrinsic
def set_int32(typing_context, address, index, number):  # type: ignore[no-untyped-def]
    """Write one of the int32 that stand in a row at an address (int64)."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        place = builder.gep(builder.inttoptr(args[0], _INT.as_pointer()), [args[1]])
        builder.store(builder.trunc(args[2], _INT), place, align=4)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), emit


@intrinsic
def int64_at(typing_context, address, index):  # type: ignore[no-untyped-def]
    """Return one of the int64 that stand in a row at an address (int64)."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.load(builder.gep(builder.inttoptr(args[0], _LONG.as_pointer()), [args[1]]), align=8)

    return types.int64(types.int64, types.int64), emit


@intrinsic
def set_int64(typing_context, address, index, number):  # type: ignore[no-untyped-def]
    """Write one of the int64 that stand in a row at an address (int64)."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        builder.store(args[2], builder.gep(builder.inttoptr(args[0], _LONG.as_pointer()), [args[1]]), align=8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), emit


@nb.njit(inline="always")
def low_bytes(word, count):  # type: ignore[no-untyped-def]
    """Return a uint64 with all but its `count` lowest bytes cleared; `count` is 0 to 7."""
    return word & ((_ONE << (_EIGHT * np.uint64(count))) - _ONE)


@nb.njit(inline="always")
def load_few(address, count):  # type: ignore[no-untyped-def]
    """Return the `count` bytes (0 to 7) at an address as uint64, without a look at the byte behind them."""
    if count >= 4:
        return load32(address) | load32(address + count - 4) << (_EIGHT * np.uint64(count - 4))
    word = np.uint64(0)
    for k in range(count):
        word |= np.uint64(load8(address + k)) << (_EIGHT * np.uint64(k))
    return word


# --- sixty-four bytes at once, as bits -------------------------------------------------------------------------------


@intrinsic
def equal64(typing_context, address, byte):  # type: ignore[no-untyped-def]
    """Tell which of the 64 bytes at an address (int64) are `byte` (int64): bit k of a uint64 for the k-th of them."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        nothing = ir.Constant(_BYTES64, ir.Undefined)
        single = builder.insert_element(nothing, builder.trunc(args[1], _BYTE), _INT(0))
        wanted = builder.shuffle_vector(single, nothing, ir.Constant(ir.VectorType(_INT, 64), [0] * 64))
        found = builder.icmp_unsigned("==", _loaded(builder, args[0], _BYTES64), wanted)
        return builder.bitcast(found, _LONG)

    return types.uint64(types.int64, types.int64), emit


@intrinsic
def beyond_ascii64(typing_context, address):  # type: ignore[no-untyped-def]
    """Tell which of the 64 bytes at an address (int64) are 128 or more, as `equal64` does."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        found = builder.icmp_signed("<", _loaded(builder, args[0], _BYTES64), ir.Constant(_BYTES64, [0] * 64))
        return builder.bitcast(found, _LONG)

    return types.uint64(types.int64), emit


@intrinsic
def trailing_zeros(typing_context, bits):  # type: ignore[no-untyped-def]
    """Return the place of the lowest bit of a uint64 that is set; 64 where none is."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), emit


@intrinsic
def count_ones(typing_context, bits):  # type: ignore[no-untyped-def]
    """Return how many bits of a uint64 are set."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.ctpop(args[0])

    return types.int64(types.uint64), emit


@intrinsic
def prefetch(typing_context, address):  # type: ignore[no-untyped-def]
    """Ask for the line of memory at an address (int64), to be read soon."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        kind = ir.FunctionType(ir.VoidType(), [_BYTE.as_pointer(), _INT, _INT, _INT])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [builder.inttoptr(args[0], _BYTE.as_pointer()), _INT(0), _INT(3), _INT(1)])
        return context.get_dummy_value()

    return types.void(types.int64), emit
