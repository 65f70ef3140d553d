"""Run a command; write what the kernel charged it with: python -I -S launch.py RESULT.json COMMAND ...

A process of its own, because Linux lets a child's peak memory begin with that of whoever started it. This one has nine
MiB; a benchmark that has just made a million rows has hundreds.
"""

import json
import os
import sys
import time


def main() -> int:
    """Run the command to its end; return 0 if it did."""
    result, *command = sys.argv[1:]
    began = time.perf_counter()
    process = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(process, 0)
    wall = time.perf_counter() - began
    cpu = usage.ru_utime + usage.ru_stime
    with open(result, "w") as file:  # noqa: PTH123 - pathlib would cost more than all else here
        json.dump({"wall": wall, "cpu": cpu, "peak_mib": usage.ru_maxrss / 1024}, file)
    return int(status != 0)


if __name__ == "__main__":
    sys.exit(main())
