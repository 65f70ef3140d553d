"""Numbers as the original wrote them: the way of Java.

>>> scientific(np.array([0.00001945252, 0.996733, -15.25, 0.0])).to_pylist()
['1.945252E-5', '9.96733E-1', '-1.525E1', '0E0']
>>> java_double(1e-6), java_double(0.0), java_double(100.0)
('1.0E-6', '0.0', '100.0')
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


def scientific(values: npt.NDArray[np.float64]) -> pa.StringArray:
    """Write n finite numbers with an exponent and up to seven significant digits, as in batch files (reference 8.2)."""
    texts = pa.array([f"{value:.6E}" for value in (values + 0.0).tolist()], pa.string())
    short = pc.replace_substring_regex(texts, r"\.?0*E", "E")
    return pc.replace_substring_regex(short, r"E\+?(-?)0?(\d)", r"E\1\2")


def java_double(value: float) -> str:
    """Write a number as logs show it: with a point, and with an exponent where it is small or large."""
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return str(float(value))
    mantissa, exponent = np.format_float_scientific(value, trim="0", exp_digits=1).split("e")
    return f"{mantissa}E{int(exponent)}"
