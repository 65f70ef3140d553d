"""What the gate is shown: held-out rows that neither model learned, known and fresh apart, and facts of both runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import numpy.typing as npt

from understudy.config import Project, Split
from understudy.datasource import held_out
from understudy.hashing import UInt64s
from understudy.house import House
from understudy.metrics import DEFAULT_METRIC
from understudy.pipeline.scoring import HeldOut
from understudy.promotion import Evidence, First, Paired, Rule, RuleName, RunFacts, Verdict, judge, slide
from understudy.schema import ModelType
from understudy.store.catalog import Promotion

YEAR = timedelta(days=365)

Mask = npt.NDArray[np.bool_]


class RowMemory(msgspec.Struct, frozen=True):
    """What a run remembers of its rows, so that later gates know which rows its model learned from."""

    split: Split
    keyed_by: tuple[str, ...]
    """Columns that the rows' keys are made of."""
    held_out: str
    """Object: the held-out rows' keys, ascending."""
    trained: str | None = None
    """Object: the training rows' keys, ascending; None where the split decides by the key alone."""


def rule_of(project: Project, model_type: ModelType) -> Rule:
    """Return the project's promotion rule for a type of model."""
    asked = project.promotion
    metric = asked.metric or DEFAULT_METRIC[model_type]
    return Rule(metric, RuleName(asked.rule), asked.margin, asked.confidence, asked.minimum)


def judge_challenger(
    house: House, rows: HeldOut, memory: RowMemory, facts: RunFacts, first: First
) -> tuple[Verdict, tuple[str, ...]]:
    """Let the gate judge a challenger whose held-out rows are scored; return its verdict and remarks about the rows."""
    rule = rule_of(house.project, rows.target.type)
    state = house.endpoint.champion()
    if state is None:
        return judge(None, None, rule, Evidence(first=first, pinned=house.endpoint.pinned)), ()
    before = house.catalog.get(state.champion or "").document
    champion_memory = msgspec.convert(before["memory"], RowMemory)
    keys = rows.row_keys
    known = _is_in(keys, house, champion_memory.held_out)
    learned = ~known & _learned(keys, house, champion_memory, memory)
    history = house.catalog.promotions(house.project.name)
    verdict = judge(
        rows.paired(known),
        rows.paired(~known & ~learned),
        rule,
        Evidence(
            now=facts,
            before=msgspec.convert(before["facts"], RunFacts),
            slid=_slid(history, rule.metric),
            pinned=state.pinned,
        ),
        _newer_than_held(house, history, rows, ~known & ~learned),
    )
    dropped = int(learned.sum())
    remark = f"{dropped:,} held-out rows were not compared: the champion has learned from them, or may have"
    return verdict, (remark,) if dropped else ()


def _is_in(keys: UInt64s, house: House, name: str) -> Mask:
    stored = np.frombuffer(house.objects.read(name), "<u8")
    places = np.searchsorted(stored, keys)
    places[places == len(stored)] = 0
    return stored[places] == keys if len(stored) else np.zeros(len(keys), np.bool_)


def _learned(keys: UInt64s, house: House, champion: RowMemory, now: RowMemory) -> Mask:
    """Tell which rows the champion learned from, or, where keys no longer tell, may have."""
    if champion.keyed_by != now.keyed_by:
        return np.ones(len(keys), np.bool_)
    if champion.trained is not None:
        return _is_in(keys, house, champion.trained)
    return ~held_out(champion.split, keys, 0, len(keys))


def _slid(history: list[Promotion], metric: str) -> float:
    """Sum what the promotions of the last year lost against its best champion."""
    slid = 0.0
    since = (datetime.now(UTC) - YEAR).isoformat()
    for entry in history:
        if entry.at < since or entry.by != "learn" or not entry.document:
            continue
        verdict = msgspec.convert(entry.document, Verdict)
        slid = slide(slid, verdict) if verdict.rule.metric == metric else 0.0
    return slid


def _newer_than_held(house: House, history: list[Promotion], rows: HeldOut, fresh: Mask) -> Paired | None:
    """Return the answers on rows newer than the first of the holds that are still open; None where there is none."""
    held = None
    for entry in reversed(history):
        if entry.status != "HELD" or not entry.document.get("guardrails"):
            break
        held = entry
    if held is None:
        return None
    memory = msgspec.convert(house.catalog.get(held.model_id).document["memory"], RowMemory)
    return rows.paired(fresh & ~_is_in(rows.row_keys, house, memory.held_out))
