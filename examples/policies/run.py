"""Make the database of insurance numbers, learn which policy each belongs to, and ask about one that somebody typed."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from generate import SEED, formats, generate

HERE = Path(__file__).parent
UNDERSTUDY = Path(sys.executable).with_name("understudy")


def main(number: str | None) -> None:
    """Learn, then show the three likeliest policies of `number`, or of one that nobody has typed before."""
    generate(HERE / "app.db")
    understudy("learn")
    if number is None:
        policy = next(found for found in formats(random.Random(SEED)) if found.policy == "Quarry Plus")
        number = policy.number(random.Random("a new customer"))
        print(f"\nA new customer of {policy.policy} types {number}.")
    understudy("predict", f"number={number}", "--top", "3")


def understudy(*words: str) -> None:
    """Run a command as everybody would; what it says goes to the screen."""
    print(f"\n$ understudy {' '.join(words)}\n", flush=True)
    if failed := subprocess.run([UNDERSTUDY, *words, "--project", HERE], check=False).returncode:
        sys.exit(failed)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
