"""What an object's log says, in the original's form (reference 6.4): a MIME text, a line for each event."""

from __future__ import annotations

from datetime import UTC, datetime

from understudy.service.context import LOG_BUCKET
from understudy.service.work.s3 import make_bucket
from understudy.service.work.workshop import Workshop
from understudy.store.bucket_records import Details
from understudy.store.catalog import Entity

PREFIXES = {"data_source": "ds", "model": "pr", "evaluation": "ev", "batch_prediction": "bp"}
"""What the original calls the kinds in the names of logs."""

_BOUNDARY = "----=_Part_0_understudy"


class Log:
    """Lines with the time at which each was written."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def say(self, *texts: str) -> None:
        """Add a line for each text."""
        now = datetime.now(UTC)
        self._lines += [f"{now:%y/%m/%d %H:%M:%S} INFO: {text}".rstrip() for text in texts]

    def text(self, name: str) -> str:
        """Return the whole log, wrapped as the original did."""
        parts = ("Amazon Machine Learning", "\n".join(self._lines))
        bodies = (f"--{_BOUNDARY}\nContent-Type: text/plain; charset=utf-8\n\n{part}\n" for part in parts)
        head = (
            f"Message-ID: <{name}@understudy>\nMIME-Version: 1.0\n"
            f'Content-Type: multipart/mixed; boundary="{_BOUNDARY}"\n\n'
        )
        return f"{head}{''.join(bodies)}--{_BOUNDARY}--\n"

    def keep(self, workshop: Workshop, entity: Entity) -> str:
        """Put the log into the bucket of logs; return its key."""
        name = f"{PREFIXES[entity.kind]}-{entity.id}"
        key = f"{name}/userlog/{name}"
        make_bucket(workshop.buckets, LOG_BUCKET)
        details = Details(headers={"content-type": "text/plain; charset=utf-8"})
        workshop.buckets.put_bytes(LOG_BUCKET, key, self.text(name).encode(), details)
        return key
