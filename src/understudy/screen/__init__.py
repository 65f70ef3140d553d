"""What a person sees on a terminal: pure renderers from the documents that `--json` prints, and the progress of a run.

Colour marks a verdict, a doubt or the weight of a heat map's cell; every screen reads as well without it.
"""

from __future__ import annotations

from understudy.screen.charts import heat_map, residual_histogram, roc, score_histogram
from understudy.screen.learned import evaluation_screen, export_lines, gate_panel, learn_summary, print_learned
from understudy.screen.stages import Stages
from understudy.screen.tables import (
    guesses_table,
    history_table,
    insights_table,
    predictions_table,
    show_object,
    status_panel,
)
from understudy.screen.words import make_console

__all__ = [
    "Stages",
    "evaluation_screen",
    "export_lines",
    "gate_panel",
    "guesses_table",
    "heat_map",
    "history_table",
    "insights_table",
    "learn_summary",
    "make_console",
    "predictions_table",
    "print_learned",
    "residual_histogram",
    "roc",
    "score_histogram",
    "show_object",
    "status_panel",
]
