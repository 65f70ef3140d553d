"""Lanes: some float32 side by side as one value of a compiled kernel, one register wide.

numba does not make vector code of short loops over arrays, as two arrays might overlap. `Lanes` says outright what is
meant: a kernel reads like arithmetic on one number, and LLVM turns each operation into one instruction for all lanes,
on any processor. Lanes live in registers, are loaded from and stored to addresses, and never pass in or out of Python.

`lanes8()` gives the zero of eight lanes; kernels take such a zero to be told how wide they are to be.
"""
# ruff: noqa: ANN001, ANN201, ANN202, ANN204 (numba infers a kernel's types; typing is by its rules)

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

from understudy import compiling as nb

_FLOAT, _DOUBLE, _INT = ir.FloatType(), ir.DoubleType(), ir.IntType(32)

FAST = ("nsz", "arcp", "contract", "afn", "reassoc")
"""What LLVM may do with floats: all but what would make tests for NaN void."""
COMPILED = {"nogil": True, "cache": True, "fastmath": set(FAST), "error_model": "numpy"}
"""How kernels of lanes are compiled."""


class LanesType(types.Type):
    """The type of `width` float32 side by side."""

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__(name=f"Lanes({width})")


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, dmm, fe_type):  # type: ignore[no-untyped-def]
        super().__init__(dmm, fe_type, ir.VectorType(_FLOAT, fe_type.width))


def _constant(vector: Any, value: float) -> Any:
    return ir.Constant(vector, [value] * vector.count)


def _zero(width: int) -> Any:
    @intrinsic
    def zero(typing_context):  # type: ignore[no-untyped-def]
        def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
            return _constant(context.get_value_type(signature.return_type), 0.0)

        return LanesType(width)(), emit

    return zero


lanes1, lanes4, lanes8, lanes16 = _zero(1), _zero(4), _zero(8), _zero(16)


# --- memory ----------------------------------------------------------------------------------------------------------


def _pointer(builder: Any, address: Any, kind: Any) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


@intrinsic
def load(typing_context, like, address):  # type: ignore[no-untyped-def]
    """Load as many lanes as `like` has from an address (int64)."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        vector = context.get_value_type(signature.return_type)
        return builder.load(_pointer(builder, args[1], vector), align=4)

    return like(like, types.int64), emit


@intrinsic
def store(typing_context, address, lanes):  # type: ignore[no-untyped-def]
    """Store lanes at an address (int64)."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        vector = context.get_value_type(signature.args[1])
        builder.store(args[1], _pointer(builder, args[0], vector), align=4)
        return context.get_dummy_value()

    return types.void(types.int64, lanes), emit


@intrinsic
def add_to(typing_context, address, lanes):  # type: ignore[no-untyped-def]
    """Add lanes to as many float64 at an address (int64)."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        wide = ir.VectorType(_DOUBLE, signature.args[1].width)
        place = _pointer(builder, args[0], wide)
        total = builder.fadd(builder.load(place, align=8), builder.fpext(args[1], wide))
        builder.store(total, place, align=8)
        return context.get_dummy_value()

    return types.void(types.int64, lanes), emit


@intrinsic
def float_at(typing_context, address, index):  # type: ignore[no-untyped-def]
    """Return one of the float32 that stand in a row at an address (int64)."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.load(builder.gep(_pointer(builder, args[0], _FLOAT), [args[1]]), align=4)

    return types.float32(types.int64, types.int64), emit


@intrinsic
def id_at(typing_context, address, index):  # type: ignore[no-untyped-def]
    """Return one of the uint32 that stand in a row at an address (int64), as int64."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        place = builder.gep(_pointer(builder, args[0], _INT), [args[1]])
        return builder.zext(builder.load(place, align=4), ir.IntType(64))

    return types.int64(types.int64, types.int64), emit


@intrinsic
def spread(typing_context, like, value):  # type: ignore[no-untyped-def]
    """Put one float32 into every lane."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        vector = context.get_value_type(signature.return_type)
        single = builder.insert_element(ir.Constant(vector, ir.Undefined), args[1], _INT(0))
        places = ir.Constant(ir.VectorType(_INT, vector.count), [0] * vector.count)
        return builder.shuffle_vector(single, ir.Constant(vector, ir.Undefined), places)

    return like(like, types.float32), emit


@intrinsic
def set_float(typing_context, address, index, value):  # type: ignore[no-untyped-def]
    """Write one of the float32 that stand in a row at an address (int64)."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        builder.store(args[2], builder.gep(_pointer(builder, args[0], _FLOAT), [args[1]]), align=4)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.float32), emit


# --- arithmetic ------------------------------------------------------------------------------------------------------


def _operator(function: Callable[[Any, Any], Any], emit_one: Callable[[Any, Any, Any], Any]) -> None:
    """Let an operator of Python work on two equally wide lanes."""

    @infer_global(function)
    class Typing(AbstractTemplate):  # type: ignore[misc]
        def generic(self, args, kws):  # type: ignore[no-untyped-def]
            if len(args) == 2 and isinstance(args[0], LanesType) and args[0] == args[1]:
                return signature(args[0], *args)
            return None

    @lower_builtin(function, LanesType, LanesType)
    def lower(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return emit_one(builder, *args)


_operator(operator.add, lambda builder, a, b: builder.fadd(a, b, flags=FAST))
_operator(operator.sub, lambda builder, a, b: builder.fsub(a, b, flags=FAST))
_operator(operator.mul, lambda builder, a, b: builder.fmul(a, b, flags=FAST))
_operator(operator.truediv, lambda builder, a, b: builder.fdiv(a, b, flags=FAST))


def _library(name: str, arguments: int) -> Any:
    """Make a function of lanes out of LLVM's function of that name."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        vector = context.get_value_type(signature.return_type)
        kind = ir.FunctionType(vector, [vector] * arguments)
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{vector.count}f32")
        return builder.call(function, args, fastmath=FAST)

    if arguments == 1:

        @intrinsic
        def unary(typing_context, lanes):  # type: ignore[no-untyped-def]
            return lanes(lanes), emit

        return unary

    @intrinsic
    def binary(typing_context, left, right):  # type: ignore[no-untyped-def]
        return left(left, right), emit

    return binary


floor, size = _library("floor", 1), _library("fabs", 1)
least, most = _library("minnum", 2), _library("maxnum", 2)


@intrinsic
def highest(typing_context, lanes):  # type: ignore[no-untyped-def]
    """Return the highest of all lanes."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return _reduced(context, builder, signature.args[0], "fmax", [], args)

    return types.float32(lanes), emit


@intrinsic
def total(typing_context, lanes):  # type: ignore[no-untyped-def]
    """Return the sum of all lanes."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return _reduced(context, builder, signature.args[0], "fadd", [_FLOAT(0.0)], args)

    return types.float32(lanes), emit


def _reduced(context: Any, builder: Any, lanes: Any, name: str, start: list[Any], args: Any) -> Any:
    """Make one float of all lanes, by LLVM's reduction of that name."""
    vector = context.get_value_type(lanes)
    kind = ir.FunctionType(_FLOAT, [value.type for value in start] + [vector])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.{name}.v{vector.count}f32")
    return builder.call(function, [*start, *args], fastmath=FAST)


@intrinsic
def where_not_negative(typing_context, test, then, other):  # type: ignore[no-untyped-def]
    """Take a lane of `then` where `test` is 0 or more, else of `other`."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        vector = context.get_value_type(signature.return_type)
        chosen = builder.fcmp_ordered(">=", args[0], _constant(vector, 0.0))
        return builder.select(chosen, args[1], args[2])

    return test(test, then, other), emit


@intrinsic
def power_of_two(typing_context, whole):  # type: ignore[no-untyped-def]
    """Return 2**whole for whole numbers from -126 to 127, by writing them into the exponent's bits."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        vector = context.get_value_type(signature.return_type)
        whole_numbers = ir.VectorType(_INT, vector.count)
        exponent = builder.add(builder.fptosi(args[0], whole_numbers), _constant(whole_numbers, 127))
        return builder.bitcast(builder.shl(exponent, _constant(whole_numbers, 23)), vector)

    return whole(whole), emit


@intrinsic
def _half_exponent(typing_context, lanes):  # type: ignore[no-untyped-def]
    """Return about 0.7 / sqrt(lanes), by halving the exponent in the bits and turning its sign."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        vector = context.get_value_type(signature.return_type)
        words = ir.VectorType(_INT, vector.count)
        half = builder.lshr(builder.bitcast(args[0], words), _constant(words, 1))
        return builder.bitcast(builder.sub(_constant(words, 0x5F1FFFF9), half), vector)

    return lanes(lanes), emit


@nb.njit(inline="always")
def inverse_root(x):  # type: ignore[no-untyped-def]
    """Estimate 1 / sqrt(x) of lanes above 0, relative error below 7e-4; `kernels.inverse_root32`."""
    guess = _half_exponent(x)
    rest = spread(x, np.float32(2.38924456)) - x * guess * guess
    return spread(x, np.float32(0.703952253)) * guess * rest


@nb.njit(inline="always")
def exp(x):  # type: ignore[no-untyped-def]
    """Compute exp of lanes, relative error below 3e-7; the polynomial of `kernels.exp32`."""
    x = least(most(x, spread(x, np.float32(-87))), spread(x, np.float32(87))) * spread(
        x, np.float32(1.4426950408889634)
    )
    whole = floor(x + spread(x, np.float32(0.5)))
    part = x - whole
    power = spread(x, np.float32(1.5403530e-4))
    power = power * part + spread(x, np.float32(1.3333558e-3))
    power = power * part + spread(x, np.float32(9.6181291e-3))
    power = power * part + spread(x, np.float32(5.5504109e-2))
    power = power * part + spread(x, np.float32(2.4022651e-1))
    power = power * part + spread(x, np.float32(6.9314718e-1))
    power = power * part + spread(x, np.float32(1))
    return power * power_of_two(whole)
