"""What a fingerprint is promised for: the versions of whatever computes."""

from __future__ import annotations

import platform

import llvmlite
import numba
import numpy as np
import pyarrow as pa

from understudy import __version__


def versions() -> dict[str, str]:
    """Name the versions that a model's bits hang on."""
    return {
        "understudy": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pyarrow": pa.__version__,
        "numba": numba.__version__,
        "llvmlite": llvmlite.__version__,
        "machine": platform.machine(),
    }
