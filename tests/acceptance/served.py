"""A server as a process of its own, on a free port of the loopback, and the clients that go there."""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import boto3
from botocore.config import Config

from acceptance.stage import SCRIPT, done, process


def free_port():
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Served:
    """`understudy serve` in a folder: started, killed, started again on the same port."""

    def __init__(self, folder, *options, port=None):
        self.folder = Path(folder)
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._options = options
        self.process = None
        self.log = self.folder / "serve.log"

    def start(self, *, timeout=60):
        """Start the server and wait until it answers."""
        words = ["serve", "--project", self.folder, "--port", self.port, *self._options]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [SCRIPT, *map(str, words)], stdout=log, stderr=log, cwd=self.folder, start_new_session=True
            )
        deadline = time.monotonic() + timeout
        while "answers at" not in self.log.read_text().rpartition("$\n")[2]:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)
        with self.log.open("a") as log:
            log.write("$\n")  # what follows was said after this start
        return self

    def kill(self):
        """`kill -9` the first process; the others must end by themselves."""
        self.process.kill()
        self.process.wait()

    def kill_all(self):
        """`kill -9` every process at once, as when the machine loses its power."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self, *, timeout=40):
        """Ask the server to end, as `systemctl stop` does; return its exit code."""
        self.process.terminate()
        return self.process.wait(timeout)

    @property
    def environment(self):
        """What `understudy env` says, for this port."""
        variables = done(process("env", "--json", "--project", self.folder))
        return {**variables, "AWS_ENDPOINT_URL": self.url}

    def client(self, service, **options):
        """Return a real AWS client of this server."""
        variables = self.environment
        return boto3.client(
            service,
            endpoint_url=self.url,
            aws_access_key_id=options.pop("key", variables["AWS_ACCESS_KEY_ID"]),
            aws_secret_access_key=options.pop("secret", variables["AWS_SECRET_ACCESS_KEY"]),
            region_name="us-east-1",
            config=Config(retries={"total_max_attempts": options.pop("attempts", 1)}, **options),
        )

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill_all()


@contextlib.contextmanager
def served(*options):
    """Serve Amazon ML alone in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, Served(folder, *options) as server:
        yield server
