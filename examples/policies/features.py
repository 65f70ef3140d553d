"""What a person sees in an insurance number: how long it is, how large, and what stands at each place."""

import pyarrow as pa

PLACES = 20
"""Characters looked at; a longer number is cut."""


def expand(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Add length, base_10 and digit_1 to digit_20; letters count on from 10, as in base 36."""
    numbers = [text or "" for text in batch.column("number").to_pylist()]
    values = [[_value(character) for character in number[:PLACES]] for number in numbers]
    batch = batch.append_column("length", pa.array([len(number) for number in numbers], pa.int64()))
    batch = batch.append_column("base_10", pa.array([_base_10(digits) for digits in values], pa.float64()))
    for place in range(PLACES):
        digits = [digits[place] if place < len(digits) else None for digits in values]
        batch = batch.append_column(f"digit_{place + 1}", pa.array(digits, pa.int64()))
    return batch


def _value(character: str) -> int | None:
    return int(character, 36) if character.isascii() and character.isalnum() else None


def _base_10(digits: list[int | None]) -> float:
    value = 0.0
    for digit in digits:
        value = value * 36 + (digit or 0)
    return value
