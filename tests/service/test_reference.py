"""The reference page of the operations is what the table says."""

import runpy
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "operations_reference.py"


def test_operations_reference_is_fresh():
    """docs/amazon-ml-operations.md is what the script would write."""
    script = runpy.run_path(str(SCRIPT))
    assert script["PAGE"].read_text() == script["reference"]()
