"""The rules by which a column is judged, most certain first: the first that has something to say decides.

Each rule takes a column and returns a verdict with its reason, or None to pass the column on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from understudy.inference.codes import Floats, look_like_codes
from understudy.inference.column import Column, span
from understudy.inference.targets import tells_truth
from understudy.schema import AttributeType
from understudy.values import TRUE_WORDS

BINARY, CATEGORICAL, NUMERIC, TEXT = (
    AttributeType.BINARY,
    AttributeType.CATEGORICAL,
    AttributeType.NUMERIC,
    AttributeType.TEXT,
)


@dataclass(frozen=True)
class Verdict:
    """What one rule found."""

    type: AttributeType
    reason: str
    doubtful: bool = False
    """Whether a careful user should look at it."""
    excluded: bool = False
    """Whether a model should not learn from it."""
    names_rows: bool = False
    """Whether it identifies the rows and could be the row id."""


Rule = Callable[[Column, Floats | None], Verdict | None]


def judge(column: Column, answers: Floats | None, *, identifiers: bool = True) -> Verdict:
    """Return the verdict of the first rule that has one.

    Parameters
    ----------
    answers : the target's, as `answers_of` gives them.
    identifiers : whether a column may be taken for one that identifies the rows.
    """
    for rule in RULES:
        verdict = rule(column, answers) if identifiers or rule is not _identifier else None
        if verdict is not None:
            return verdict
    raise AssertionError("the last rule takes every column")


FEW_VALUES = 20
"""Distinct values up to which words are categories, unless they are sentences that hardly repeat."""

_ID_WORDS = {"id", "ids", "uuid", "guid", "key", "pk", "index", "idx", "row", "rowid", "rownum", "serial", "unnamed"}
_ID_NAMES = {"", "order", "no", "nr", "num", "number", "#"}
_CODE_WORDS = {
    "id",
    "code",
    "zip",
    "zipcode",
    "postal",
    "postcode",
    "plz",
    "phone",
    "mobile",
    "fax",
    "sku",
    "ean",
    "isbn",
    "iban",
}
_CODE_ENDINGS = ("class", "code", "type")
_NUMBER_WORDS = {"no", "nr", "num", "number"}
_CYCLES = {
    "month": (1, 12),
    "mo": (1, 12),
    "quarter": (1, 4),
    "day": (0, 7),
    "weekday": (0, 7),
    "dow": (0, 7),
    "dayofweek": (0, 7),
    "hour": (0, 23),
}
_DATE = re.compile(
    r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2}))"
    r"([ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[AaPp][Mm])?(Z|[+-]\d{2}:?\d{2})?)?"
)
_COMPACT_DATE = re.compile(r"(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_LEADING_ZERO = re.compile(r"0\d+")
_LONG_DIGITS = re.compile(r"\d{16,}")
_ADDRESS = re.compile(r"(https?|ftp|s3)://\S+|www\.\S+|[^@\s]+@[^@\s]+\.\w+")
_DOCUMENT = re.compile(r"[\[{].*[\]}]", re.DOTALL)
_TOKEN = re.compile(r"(?=\S*\d)[\w.:+/=#-]{4,}")
_SPACELESS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese: scripts that put no spaces between words."""


def _empty(column: Column, _: Floats | None) -> Verdict | None:
    if column.filled:
        return None
    return Verdict(CATEGORICAL, "every cell is empty", doubtful=True, excluded=True)


def _truth(column: Column, _: Floats | None) -> Verdict | None:
    if not tells_truth(column):
        return None
    yes = column.mean(lambda value: float(value.lower() in TRUE_WORDS))
    return Verdict(BINARY, f"{' and '.join(sorted(column.labels)[:4])}; {_percent(yes)} true{_holes(column)}")


def _identifier(column: Column, _: Floats | None) -> Verdict | None:
    """Take what is unique per row and named like an id, counting up, or made of letters and digits."""
    if not column.is_unique:
        return None
    exact = column.distinct == column.rows
    if _named_like_an_id(column) and (column.is_whole or column.mean(_words_in) <= 1.2):
        reason, doubtful = "identifies the row: unique, and named like an id", False
    elif column.rows >= 20 and counts_up(column):
        reason, doubtful = "a running number: it counts the rows", True
    elif not column.is_number and column.rows >= 20 and column.share(_TOKEN) >= 0.9:
        reason, doubtful = f"a code of its own for each row, such as {_quoted(column.usual)}", False
    else:
        return None
    return Verdict(CATEGORICAL, reason, doubtful, excluded=True, names_rows=exact)


def _date(column: Column, _: Floats | None) -> Verdict | None:
    """Dates name days that will not come again, so as categories they teach nothing; as text they are worse."""
    compact = {"date", "day", "dt", "ymd"} & set(column.words) and column.share(_COMPACT_DATE) >= 0.95
    if not compact and column.share(_DATE) < 0.95:
        return None
    if column.distinct <= 12:
        return Verdict(CATEGORICAL, f"{column.distinct} distinct dates{_holes(column)}", doubtful=True)
    days = f"{column.distinct:,} distinct dates, which will not come again"
    reason = f"{days}; take weekday, month or age from it in a transform function"
    return Verdict(CATEGORICAL, reason, doubtful=True, excluded=True)


def _code(column: Column, answers: Floats | None) -> Verdict | None:
    """Whole numbers that name something rather than measure it."""
    if not column.is_whole or column.distinct < 3:
        return None
    kinds = f"{column.distinct:,} distinct codes{_holes(column)}: "
    if column.share(_LEADING_ZERO) >= 0.01:
        return Verdict(CATEGORICAL, kinds + "some start with 0")
    if column.share(_LONG_DIGITS) >= 0.5:
        return Verdict(CATEGORICAL, kinds + "too many digits for a quantity", doubtful=True)
    if _named_like_a_code(column):
        return Verdict(
            CATEGORICAL, kinds + "whole numbers with the name of a code", doubtful=column.distinct > column.filled / 2
        )
    if _cycle(column):
        return Verdict(CATEGORICAL, f"{column.distinct} distinct numbers that come round, as its name says")
    sign = look_like_codes(column, answers)
    return Verdict(CATEGORICAL, kinds + sign, doubtful=True) if sign else None


def _number(column: Column, _: Floats | None) -> Verdict | None:
    if not column.is_number:
        return None
    numbers, _counts = column.sorted_numbers
    kind = "whole number" if column.is_whole else "number"
    if len(numbers) == 1:
        reason = f"always {numbers[0]:g}{_holes(column)}; says nothing until it varies"
        return Verdict(NUMERIC, reason, doubtful=not column.absent)
    reason = f"{len(numbers):,} distinct {kind}s, {span(numbers[0], numbers[-1])}{_holes(column)}"
    if column.stray:
        cells = "1 cell is" if column.stray == 1 else f"{column.stray:,} cells are"
        reason += f"; {cells} no number, such as {_quoted(_a_stray(column))}"
    return Verdict(NUMERIC, reason, doubtful=column.stray > 0)


def _address(column: Column, _: Floats | None) -> Verdict | None:
    if column.share(_ADDRESS) < 0.9 or column.distinct <= column.filled / 2:
        return None
    reason = f"{column.distinct:,} distinct addresses; take the domain or path from it in a transform function"
    return Verdict(CATEGORICAL, reason, doubtful=True, excluded=True)


def _document(column: Column, _: Floats | None) -> Verdict | None:
    if column.mean(_is_json) < 0.9:
        return None
    return Verdict(TEXT, "JSON documents; their fields are better taken apart in a transform function", doubtful=True)


def _free_text(column: Column, _: Floats | None) -> Verdict | None:
    """Many different values made of words, whether or not the script puts spaces between them."""
    words, variety = column.mean(_words_in), column.distinct / column.filled
    texts = f"{column.distinct:,} distinct texts"
    if column.is_number:
        return None
    if column.mean(lambda value: float(_SPACELESS.search(value) is not None)) >= 0.5:
        length, few = column.mean(len), column.distinct <= FEW_VALUES
        if length >= 6 and variety >= (0.5 if few else 0.2):
            reason = f"{texts} of {length:.0f} characters on average{_holes(column)}"
            return Verdict(TEXT, reason, doubtful=few)
    if column.distinct <= FEW_VALUES:
        return None
    if words >= 8 or (words >= 3 and variety >= 0.2):
        return Verdict(TEXT, f"{texts} of {words:.0f} words on average{_holes(column)}")
    if variety >= 0.9 or (words >= 1.15 and variety >= 0.4):
        reason = f"{texts} in {column.filled:,} filled rows, of {words:.1f} words on average"
        return Verdict(TEXT, reason, doubtful=True)
    return None


def _category(column: Column, _: Floats | None) -> Verdict | None:
    distinct, most = len(column.values), int(column.counts.max())
    holes = f", {column.rows - int(column.counts.sum()):,} empty" if column.counts.sum() < column.rows else ""
    if distinct == 1:
        return Verdict(
            CATEGORICAL, f"always {_quoted(column.usual)}{holes}; says nothing until it varies", doubtful=not holes
        )
    usual = _quoted(column.values[int(column.counts.argmax())])
    reason = f"{distinct:,} distinct values, most often {usual} ({_percent(most / column.rows)}){holes}"
    return Verdict(CATEGORICAL, reason, doubtful=column.distinct > column.filled / 2)


RULES: tuple[Rule, ...] = (
    _empty, _truth, _date, _identifier, _code, _number, _address, _document, _free_text, _category,
)  # fmt: skip


def _named_like_an_id(column: Column) -> bool:
    name, words = column.name.strip().lower(), column.words
    return name in _ID_NAMES or (bool(words) and (words[-1] in _ID_WORDS or words[0] in {"id", "unnamed"}))


def _named_like_a_code(column: Column) -> bool:
    """Go by the last word, which says what a column holds: `account_number` is a code, `number_of_rooms` is not."""
    if not column.words:
        return False
    last = next((word for word in reversed(column.words) if not word.isdigit()), "")
    if last in _NUMBER_WORDS and len(column.words) > 1:
        return column.distinct > 100
    return last in _CODE_WORDS or column.words[0] == "id" or last.endswith(_CODE_ENDINGS)


def counts_up(column: Column) -> bool:
    """Tell whether the rows' numbers are even steps of one stair, in order."""
    if not column.is_whole:
        return False
    steps = np.diff(column.numbers[column.present])
    return bool(np.all(steps > 0) and np.mean(np.abs(steps - np.median(steps)) <= 1) >= 0.95)


def _cycle(column: Column) -> bool:
    """Tell whether the numbers are those of months, weekdays and the like; a day of the month is a quantity."""
    if "month" in column.words and column.words[0].startswith("day"):
        return False
    numbers, _ = column.sorted_numbers
    spans = [_CYCLES[word] for word in column.words if word in _CYCLES]
    return any(low <= numbers[0] and numbers[-1] <= high for low, high in spans)


def _holes(column: Column) -> str:
    return f", {column.absent:,} empty" if column.absent else ""


def _a_stray(column: Column) -> str:
    strays = zip(column.values, column.numbers, column.present, strict=True)
    return next(value for value, number, here in strays if here and np.isnan(number))


def _words_in(value: str) -> float:
    return float(len(value.split()))


def _is_json(value: str) -> float:
    if not _DOCUMENT.fullmatch(value):
        return 0.0
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return 0.0
    return 1.0


def _percent(share: float) -> str:
    return "under 1%" if share < 0.01 else "over 99%" if 0.99 < share < 1 else f"{share:.0%}"


def _quoted(value: str) -> str:
    return repr(value if len(value) <= 40 else value[:39] + "…")
