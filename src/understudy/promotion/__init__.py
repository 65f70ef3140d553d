"""The gate: champion and challenger on the same held-out rows -> a verdict with its reasons."""

from understudy.promotion.anchor import Promoted, anchor_of
from understudy.promotion.comparison import Comparison, compare
from understudy.promotion.gate import Evidence, First, Rule, RuleName, Status, Verdict, judge
from understudy.promotion.guardrails import Cells, Guardrails, RunFacts, Target
from understudy.promotion.paired import Answers, Paired
from understudy.promotion.stream import GateReport, first_decision, judge_file

__all__ = [
    "Answers",
    "Cells",
    "Comparison",
    "Evidence",
    "First",
    "GateReport",
    "Guardrails",
    "Paired",
    "Promoted",
    "Rule",
    "RuleName",
    "RunFacts",
    "Status",
    "Target",
    "Verdict",
    "anchor_of",
    "compare",
    "first_decision",
    "judge",
    "judge_file",
]
