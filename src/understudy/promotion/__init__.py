"""The gate: champion and challenger on the same held-out rows -> a verdict with its reasons."""

from understudy.promotion.comparison import Comparison, compare
from understudy.promotion.gate import Evidence, First, Rule, RuleName, Status, Verdict, judge, slide
from understudy.promotion.guardrails import Guardrails, RunFacts, Target
from understudy.promotion.paired import Answers, Paired
from understudy.promotion.stream import GateReport, first_decision, judge_file

__all__ = [
    "Answers",
    "Comparison",
    "Evidence",
    "First",
    "GateReport",
    "Guardrails",
    "Paired",
    "Rule",
    "RuleName",
    "RunFacts",
    "Status",
    "Target",
    "Verdict",
    "compare",
    "first_decision",
    "judge",
    "judge_file",
    "slide",
]
