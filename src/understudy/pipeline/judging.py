"""What the gate is shown: held-out rows that neither model learned, known and fresh apart, and facts of both runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import msgspec
import numpy as np
import numpy.typing as npt

from understudy.config import Project, Split
from understudy.datasource import held_out
from understudy.house import House
from understudy.metrics import DEFAULT_METRIC
from understudy.pipeline.scoring import HeldOut
from understudy.prediction import Predictor
from understudy.promotion import (
    Evidence,
    First,
    Paired,
    Promoted,
    Rule,
    RuleName,
    RunFacts,
    Status,
    Verdict,
    anchor_of,
    judge,
)
from understudy.promotion.gate import CONFIRMING_ROWS
from understudy.schema import ModelType
from understudy.store.catalog import Promotion
from understudy.target import Target
from understudy.values import BATCH_ROWS

CHAMPION, ANCHOR = "champion", "anchor"

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


def rivals_of(house: House) -> dict[str, Predictor]:
    """Return whom a challenger is compared with: the champion, and the year's best champion where it is another."""
    state = house.endpoint.champion()
    if state is None or state.champion is None:
        return {}
    rivals = {CHAMPION: house.predictor(state.champion)}
    anchor = _best_of_the_year(house.catalog.promotions(house.project.name))
    if anchor not in (None, state.champion) and house.catalog.get(anchor, "model").status == "COMPLETED":
        rivals[ANCHOR] = house.predictor(anchor)
    return rivals


def remembered_by_the_gate(history: list[Promotion]) -> set[str]:
    """Name the models whose rows the next verdict will ask for: the last believed one, and all open holds."""
    asked = set()
    for entry in reversed(history):
        asked.add(entry.model_id)
        if _believed(entry):
            break
    return asked


def judge_challenger(
    house: House, rows: HeldOut, memory: RowMemory, facts: RunFacts, first: First
) -> tuple[Verdict, tuple[str, ...]]:
    """Let the gate judge a challenger whose held-out rows are scored; return its verdict and remarks about the rows."""
    rule = rule_of(house.project, rows.target.type)
    state = house.endpoint.champion()
    if state is None or state.champion is None:
        return judge(None, None, rule, Evidence(first=first, pinned=house.endpoint.pinned)), ()
    sorted_rows = _Sorted(house, rows, memory, house.catalog.promotions(house.project.name))
    compared = rule.rule in (RuleName.NOT_WORSE, RuleName.BETTER) and not state.pinned
    if compared and CHAMPION not in rows.rivals:
        return _other_question(rule, rows, house.predictor(state.champion).model.target), ()
    usable = ~sorted_rows.learned_by(state.champion) & ~sorted_rows.learned_now()
    if compared and len(usable) and not usable.any():
        return _unknown_rows(rule, memory, sorted_rows.keyed_by(state.champion)), ()
    known = sorted_rows.known_to(state.champion)
    before = house.catalog.get(state.champion, "model").document
    anchor = rows.rivals[ANCHOR].model_id if ANCHOR in rows.rivals else None
    verdict = judge(
        rows.paired(CHAMPION, usable & known),
        rows.paired(CHAMPION, usable & ~known),
        rule,
        Evidence(now=facts, before=msgspec.convert(before["facts"], RunFacts), pinned=state.pinned),
        held_before=sorted_rows.newer_than_held(usable & ~known),
        anchor=rows.paired(ANCHOR, usable & ~sorted_rows.learned_by(anchor)) if anchor else None,
    )
    dropped = int(np.count_nonzero(~usable))
    remark = f"{dropped:,} held-out rows were not compared: the champion has learned from them, or may have"
    return verdict, (remark,) if dropped else ()


@dataclass(frozen=True)
class _Sorted:
    """Held-out rows, sorted by what earlier runs knew of them."""

    house: House
    rows: HeldOut
    memory: RowMemory
    history: list[Promotion]

    def known_to(self, champion: str) -> Mask:
        """Tell which rows were held out when the gate last believed what it saw, or when the champion was made."""
        believed = next((e.model_id for e in reversed(self.history) if _believed(e)), champion)
        return self._held_out_by(champion) | self._held_out_by(believed)

    def learned_by(self, model_id: str) -> Mask:
        """Tell which rows a model learned from, or, where keys no longer tell, may have."""
        before = self._memory_of(model_id)
        if before.keyed_by != self.memory.keyed_by:
            return np.ones(len(self.rows.row_keys), np.bool_)
        if before.trained is not None:
            return self._is_in(before.trained)
        keys = self.rows.row_keys
        return ~held_out(before.split, keys, 0, len(keys)) & ~self._held_out_by(model_id)

    def learned_now(self) -> Mask:
        """Tell which rows the challenger learned from under another copy of their key."""
        return (
            np.zeros(len(self.rows.row_keys), np.bool_)
            if self.memory.trained is None
            else self._is_in(self.memory.trained)
        )

    def keyed_by(self, model_id: str) -> tuple[str, ...]:
        """Return the columns that the rows' keys were made of when a model was."""
        return self._memory_of(model_id).keyed_by

    def newer_than_held(self, fresh: Mask) -> Paired | None:
        """Return the answers on rows newer than the last hold, or than an earlier open one where those are too few."""
        for entry in reversed(self.history):
            if entry.status != "HELD" or not entry.document.get("guardrails"):
                break
            newer = fresh & ~self._held_out_by(entry.model_id)
            if np.count_nonzero(newer) >= CONFIRMING_ROWS:
                return self.rows.paired(CHAMPION, newer)
        return None

    def _held_out_by(self, model_id: str) -> Mask:
        return self._is_in(self._memory_of(model_id).held_out)

    def _memory_of(self, model_id: str) -> RowMemory:
        return msgspec.convert(self.house.catalog.get(model_id, "model").document["memory"], RowMemory)

    def _is_in(self, name: str) -> Mask:
        keys = self.rows.row_keys
        stored = np.frombuffer(self.house.objects.read(name) if self.house.objects.exists(name) else b"", "<u8")
        found = np.zeros(len(keys), np.bool_)
        for first in range(0, len(keys) if len(stored) else 0, BATCH_ROWS):
            rows = self._by_key[first : first + BATCH_ROWS]
            found[rows] = stored[np.searchsorted(stored, keys[rows]) % len(stored)] == keys[rows]
        return found

    @cached_property
    def _by_key(self) -> npt.NDArray[np.int64]:
        """The rows by ascending key: looked up in this order, keys meet what the last ones brought into the cache."""
        return np.argsort(self.rows.row_keys)


def _other_question(rule: Rule, rows: HeldOut, before: Target) -> Verdict:
    """Hold a challenger that answers another question than the champion: no row can compare them."""
    was, now = (
        f"{t.type.value} ({', '.join(t.classes[:4])})" if t.classes else t.type.value for t in (before, rows.target)
    )
    return Verdict(
        status=Status.HELD,
        reasons=(f"the challenger answers another question than the champion: {now} instead of {was}",),
        rule=rule,
        guardrails=("target_changed",),
        what_would_settle="[train] type, if this was not meant; else `understudy promote` lets the challenger serve",
        believed=False,
    )


def _unknown_rows(rule: Rule, memory: RowMemory, before: tuple[str, ...]) -> Verdict:
    """Hold where no held-out row is known to be new to the champion."""
    reason = "the champion has learned from all held-out rows, or may have"
    if memory.keyed_by != before:
        reason = (
            f"rows are told apart by {', '.join(memory.keyed_by[:6])} now, by {', '.join(before[:6])} before: {reason}"
        )
    return Verdict(
        status=Status.HELD,
        reasons=(reason,),
        rule=rule,
        guardrails=("rows_unknown",),
        what_would_settle="`understudy promote` lets the challenger serve; a row_id keeps rows apart for good",
        believed=False,
    )


def _best_of_the_year(history: list[Promotion]) -> str | None:
    """Return the best champion of the last year; who served when it began counts as one of its champions."""
    since = (datetime.now(UTC) - YEAR).isoformat()
    flips = [entry for entry in history if entry.champion != entry.champion_before]
    older = [entry for entry in flips if entry.at < since][-1:]
    return anchor_of([_promoted(entry) for entry in (*older, *(e for e in flips if e.at >= since))])


def _promoted(entry: Promotion) -> Promoted:
    verdict = _verdict(entry)
    return Promoted(entry.champion or "", by_hand=verdict is None, found=verdict.deciding if verdict else None)


def _believed(entry: Promotion) -> bool:
    verdict = _verdict(entry)
    return verdict is not None and verdict.believed


def _verdict(entry: Promotion) -> Verdict | None:
    """Return the gate's verdict behind a line of the history; None for a flip by hand."""
    return msgspec.convert(entry.document, Verdict) if entry.by == "learn" and entry.document else None
