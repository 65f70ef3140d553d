"""What `learn` and `gate` say when they are done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from understudy.screen.words import columns, figure, metric_label, seconds, verdict

Document = Mapping[str, Any]


def learn_summary(document: Document) -> RenderableType:
    """Show the document of `learn --json`: rows, metrics beside their baseline, verdict, who serves, time."""
    return Group(
        _rows(document["rows"]),
        Text(),
        _metrics(document),
        Text(),
        _verdict(document["verdict"], document["model_id"]),
        Text(),
        _time(document["seconds"]),
    )


def export_lines(document: Document) -> str:
    """Return the two lines to paste into a shell; they never change again."""
    endpoint = document["endpoint"]
    return f"export AWS_ML_MODEL_ID={endpoint['name']}\nexport AWS_ML_PREDICTION_URL={endpoint['url']}"


def print_learned(console: Console, document: Document) -> None:
    """Print the summary, then the export lines, whole whatever the width, so that they can be copied."""
    console.print(learn_summary(document))
    console.print()
    console.print(Text(export_lines(document)), soft_wrap=True)


def gate_panel(document: Document) -> RenderableType:
    """Show a verdict of the gate by itself.

    Parameters
    ----------
    document : `status` and `reasons`; where known also `metric`, `champion`, `challenger`, `difference`, `interval`
        (low, high), `rows`, and `reached_at_row`, the row at which a stream was decided.
    """
    name = document.get("metric", "")
    table = columns("", " ", right=(" ",))
    for key, label in (("champion", "Champion"), ("challenger", "Challenger"), ("difference", "Difference")):
        if document.get(key) is not None:
            table.add_row(label, figure(name, document[key]))
    if document.get("interval"):
        table.add_row("Interval of the difference", _interval(name, document["interval"]))
    for key, label in (("rows", "Rows"), ("reached_at_row", "Decided at row")):
        if document.get(key) is not None:
            table.add_row(label, f"{document[key]:,}")
    heading = Text.assemble(verdict(document["status"]), (f"  by {metric_label(name)}" if name else "", "dim"))
    return Group(heading, *_reasons(document["reasons"]), Text(), table)


def _rows(rows: Mapping[str, int]) -> RenderableType:
    line = Text.assemble((f"{rows['extracted']:,} rows", "bold"))
    line.append(f"   {rows['training']:,} training   {rows['evaluation']:,} evaluation")
    rejected = rows.get("rejected", 0)
    line.append(f"   {rejected:,} rejected", style="yellow" if rejected else "")
    return line


def _metrics(document: Document) -> RenderableType:
    """List the metrics; the columns for baseline and interval only where there is something to put into them."""
    baseline, intervals = document.get("baseline") or {}, document.get("intervals") or {}
    headings = [
        str(document["model_type"]),
        "model",
        *["baseline"][: len(baseline)],
        *["95 % interval"][: len(intervals)],
    ]
    table = columns(*headings, right=headings[1:])
    for name, value in document["metrics"].items():
        cells = [figure(name, value)]
        if baseline:
            cells.append(figure(name, baseline[name]) if name in baseline else "")
        if intervals:
            cells.append(_interval(name, intervals[name]) if intervals.get(name) else "")
        table.add_row(metric_label(name), *cells)
    return table


def _verdict(given: Document, model_id: str) -> RenderableType:
    champion, before = given.get("champion"), given.get("champion_before")
    if champion is None:
        serves = "Nobody serves yet."
    elif champion == before:
        serves = f"{champion} goes on serving."
    else:
        serves = f"{champion} serves now" + (f", in place of {before}." if before else ", the first champion.")
    return Group(
        Text.assemble(verdict(given["status"]), f"  {model_id}"),
        *_reasons(given["reasons"]),
        Padding(serves, (0, 0, 0, 2)),
    )


def _reasons(reasons: Sequence[str]) -> list[RenderableType]:
    return [Padding(Text(reason), (0, 0, 0, 2)) for reason in reasons]


def _time(spent: Mapping[str, float]) -> RenderableType:
    """Name the stages that took any time to speak of."""
    stages = "  ".join(f"{name} {value:.1f}" for name, value in spent.items() if name != "total" and value >= 0.05)
    return Text.assemble((seconds(spent["total"]), "bold"), (f"  {stages}", "dim"))


def _interval(name: str, interval: Sequence[float]) -> str:
    return f"{figure(name, interval[0])} to {figure(name, interval[1])}"
