"""What `learn` and `gate` say when they are done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from understudy.screen.charts import heat_map, residual_histogram, roc, score_histogram
from understudy.screen.words import columns, figure, legible, metric_label, note, seconds, verdict

Document = Mapping[str, Any]


def learn_summary(document: Document, *, dry_run: bool = False) -> RenderableType:
    """Show the document of `learn --json`: rows, metrics beside their baseline, verdict, who serves, time."""
    return Group(
        _rows(document["rows"]),
        Text(),
        _metrics(document),
        Text(),
        _verdict(document["verdict"], document["model_id"], dry_run=dry_run),
        Text(),
        _time(document["seconds"]),
    )


def export_lines(document: Document) -> str:
    """Return the two lines to paste into a shell; they never change again."""
    endpoint = document["endpoint"]
    return f"export AWS_ML_MODEL_ID={endpoint['name']}\nexport AWS_ML_PREDICTION_URL={endpoint['url']}"


def print_learned(
    console: Console, document: Document, evaluation: Document | None = None, *, dry_run: bool = False
) -> None:
    """Print the summary, the evaluation's picture and, whole, to be copied, the export lines where somebody serves."""
    console.print(learn_summary(document, dry_run=dry_run))
    if evaluation and evaluation.get("per_class"):
        console.print()
        console.print(picture(evaluation))
    for remark in (*document.get("remarks", ()), *(alert["message"] for alert in document.get("alerts", ()))):
        console.print(note(remark))
    if document["verdict"]["champion"] is not None:
        console.print()
        console.print(Text(export_lines(document)), soft_wrap=True)


def evaluation_screen(document: Document) -> RenderableType:
    """Show the document of `evaluate --json`: metrics beside their baseline, alerts, and the picture of its type."""
    alerts = [note(alert["message"]) for alert in document.get("alerts", ())]
    return Group(
        Text.assemble((f"{document['rows']:,} rows", "bold"), f"   {document.get('model_id', '')}"),
        Text(),
        _metrics(document),
        *alerts,
        Text(),
        picture(document),
    )


def picture(evaluation: Document) -> RenderableType:
    """Draw what an evaluation's type is looked at by: heat map, ROC curve and score histogram, or residuals."""
    if evaluation.get("per_class"):
        confusion = evaluation["confusion"]
        per_class = {figures["label"]: figures for figures in evaluation["per_class"]}
        return heat_map(confusion["matrix"], confusion["labels"], per_class)
    if evaluation.get("curves"):
        curves, histogram = evaluation["curves"], evaluation["histogram"]
        points = sorted(zip(curves["false_positive_rate"], curves["recall"], strict=True))
        ones, zeros = _paired_up(histogram["ones"]), _paired_up(histogram["zeros"])
        scores = score_histogram(ones, zeros, evaluation["threshold"])
        return Group(roc(points, evaluation["metrics"]["auc"]), Text(), scores)
    if evaluation.get("residuals"):
        bins = evaluation["residuals"]["histogram"]
        return residual_histogram(bins["edges"], bins["counts"])
    return Text()


def _paired_up(counts: Sequence[float]) -> list[int]:
    """Put neighbouring bins together: a terminal is lower than a page."""
    return [round(one + other) for one, other in zip(counts[::2], counts[1::2], strict=True)]


def gate_panel(document: Document) -> RenderableType:
    """Show a verdict of the gate by itself.

    Parameters
    ----------
    document : `status` and `reasons`; where known also `metric`, `champion`, `challenger`, `difference`, `interval`
        (low, high), `rows`, and `decided_at_row`, the row at which a stream was decided.
    """
    name = document.get("metric", "")
    table = columns("", " ", right=(" ",))
    for key, label in (("champion", "Champion"), ("challenger", "Challenger"), ("difference", "Difference")):
        if document.get(key) is not None:
            table.add_row(label, figure(name, document[key]))
    if document.get("interval"):
        table.add_row("Interval of the difference", _interval(name, document["interval"]))
    for key, label in (("rows", "Rows"), ("decided_at_row", "Decided at row")):
        if document.get(key) is not None:
            table.add_row(label, f"{document[key]:,}")
    heading = Text.assemble(verdict(document["status"]), (f"  by {metric_label(name)}" if name else "", "dim"))
    return Group(heading, *_reasons(document), Text(), table)


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


def _verdict(given: Document, model_id: str, *, dry_run: bool) -> RenderableType:
    champion, before = given.get("champion"), given.get("champion_before")
    if dry_run:
        serves = f"A dry run: nothing was changed; {champion or 'nobody'} serves as before."
    elif champion is None:
        serves = "Nobody serves yet."
    elif champion == before:
        serves = f"{champion} goes on serving."
    else:
        serves = f"{champion} serves now" + (f", in place of {before}." if before else ", the first champion.")
    return Group(
        Text.assemble("would be " if dry_run else "", verdict(given["status"]), f"  {model_id}"),
        *_reasons(given),
        Padding(serves, (0, 0, 0, 2)),
    )


def _reasons(given: Document) -> list[RenderableType]:
    """List a verdict's reasons, and what would settle it where that is known."""
    settling = given.get("what_would_settle")
    said = [*given["reasons"], *([f"what would settle it: {settling}"] if settling else [])]
    return [Padding(Text(legible(text)), (0, 0, 0, 2)) for text in said]


def _time(spent: Mapping[str, float]) -> RenderableType:
    """Name the stages that took any time to speak of."""
    stages = "  ".join(f"{name} {value:.1f}" for name, value in spent.items() if name != "total" and value >= 0.05)
    return Text.assemble((seconds(spent["total"]), "bold"), (f"  {stages}", "dim"))


def _interval(name: str, interval: Sequence[float]) -> str:
    return f"{figure(name, interval[0])} to {figure(name, interval[1])}"
