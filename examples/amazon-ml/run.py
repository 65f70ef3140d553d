"""Serve Amazon ML in a folder that is gone afterwards, and let the article's code talk to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
UNDERSTUDY = Path(sys.executable).with_name("understudy")


def main() -> None:
    """Serve, run the article, stop; what it prints goes to the screen."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, served(folder) as address:
        print('\n$ understudy serve\n$ eval "$(understudy env)"\n$ python examples/amazon-ml/article.py\n', flush=True)
        began = time.monotonic()
        env = {**os.environ, **environment(folder), "AWS_ENDPOINT_URL": address}
        failed = subprocess.run([sys.executable, HERE / "article.py"], env=env, check=False).returncode
        print(f"\n{time.monotonic() - began:.1f} seconds")
    if failed:
        sys.exit(failed)


@contextmanager
def served(folder: str) -> Iterator[str]:
    """Serve a folder on a free port for as long as the context lasts; gives the address."""
    server = subprocess.Popen(
        [UNDERSTUDY, "serve", "--project", folder, "--port", "0"], stderr=subprocess.PIPE, text=True
    )
    assert server.stderr is not None
    try:
        for line in server.stderr:
            if "answers at" in line:
                yield line.split()[-1]
                return
        sys.exit("the server did not start")
    finally:
        server.terminate()
        server.wait()
        server.stderr.close()


def environment(folder: str) -> dict[str, str]:
    """Return what `understudy env` says."""
    told = subprocess.run([UNDERSTUDY, "env", "--json", "--project", folder], capture_output=True, check=True)
    variables: dict[str, str] = json.loads(told.stdout)
    return variables


if __name__ == "__main__":
    main()
