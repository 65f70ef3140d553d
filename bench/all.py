"""All benchmarks, one after the other, then docs/performance.md: what `make bench` does.

    .venv/bin/python bench/all.py [--quick]

Short ones first, so that a mistake shows early. One that fails does not keep the others from running; the exit code
tells how many did.
"""

from __future__ import annotations

import subprocess
import sys
import time

from measuring import BENCH

ORDER = ("commands", "one_record", "csv_to_model", "serving", "many_classes", "scaling")


def main() -> int:
    """Run each as a command of its own; return how many failed."""
    options, failed = sys.argv[1:], 0
    for name in (*ORDER, "performance"):
        began = time.monotonic()
        print(f"\n# {name}", flush=True)
        code = subprocess.run([sys.executable, BENCH / f"{name}.py", *options], check=False).returncode
        failed += code != 0
        print(f"\n{name}: {'done' if code == 0 else 'FAILED'} in {time.monotonic() - began:.0f} s", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
