"""Tables of what is: who serves, what was promoted, what a column was taken for, what a record was answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.text import Text

from understudy.screen.words import Bar, columns, figure, legible, metric_label, moment, number, title, verdict

if TYPE_CHECKING:
    from understudy.inference import Inference

SHORT_FINGERPRINT = 19
"""Characters of a fingerprint that are shown where there is no room: its method and 12 digits."""

_SHORT, _FEW = 20, 3
"""How many texts and numbers, and how many lists and records, are shown rather than counted."""

Document = Mapping[str, Any]


def history_table(document: Document) -> RenderableType:
    """Show the document of `history --json`: every promotion with its verdict and reasons, oldest first."""
    promotions = document["promotions"]
    if not promotions:
        return Text("No promotions yet; `understudy learn` makes the first.")
    lines: list[RenderableType] = []
    for entry in promotions:
        lines.append(
            Text.assemble(
                f"{moment(entry['at'])}  {entry['by']:<9} ", verdict(f"{_outcome(entry):<11}"), f"  {entry['model_id']}"
            )
        )
        said = [*entry.get("reasons", ()), _succession(entry)]
        lines += [Padding(Text(legible(text), style="dim"), (0, 0, 0, 4)) for text in said if text]
    return Group(*lines)


def status_panel(document: Document) -> RenderableType:
    """Show the document of `status --json`: who serves and since when, who challenges, the last run and the next."""
    if document["endpoint"] is None:
        return _place_panel(document)
    endpoint = document["endpoint"]
    table = columns("", "")
    for part in ("champion", "challenger"):
        table.add_row(Text(part, style="dim"), _player(endpoint.get(part)))
    last = document.get("last_run")
    if last:
        said = [
            moment(last.get("at") or last.get("finished_at")),
            str(last.get("status", "")),
            _last_verdict(last, endpoint),
            str(last.get("run_id", "")),
        ]
        line = Text("  ".join(filter(None, said)))
        if last.get("status") == "FAILED" and last.get("message"):
            line.append(f"\n{last['message']}", style="red")
        table.add_row(Text("last run", style="dim"), line)
    table.add_row(
        Text("next run", style="dim"), moment(document.get("next_run")) if document.get("next_run") else "not scheduled"
    )
    if endpoint.get("pinned"):
        table.add_row(Text("pinned", style="yellow"), "the gate holds every verdict until `understudy unpin`")
    table.columns[1].overflow = "fold"
    return Group(title(endpoint["name"]), table)


def _last_verdict(last: Document, endpoint: Document) -> str:
    """Tell how the last run was judged, and where that is not who serves: a dry run, or a hand has interfered since."""
    champion = (endpoint.get("champion") or {}).get("model_id")
    unserved = last.get("verdict") == "ADMITTED" and last.get("model_id") != champion
    return f"{last.get('verdict') or ''}{', but does not serve' if unserved else ''}"


def _place_panel(document: Document) -> RenderableType:
    """Show what a folder without a project keeps, and where it is served."""
    table = columns("", "")
    none = "none runs from here; `understudy serve` starts one"
    table.add_row(Text("server", style="dim"), document["server"] or none)
    for kind, kept in document["objects"].items():
        table.add_row(Text(f"{kind.replace('_', ' ')}s", style="dim"), f"{kept:,}")
    return Group(title("Amazon ML and S3 alone: there is no project here"), table)


def show_object(document: Document, heading: str = "object") -> RenderableType:
    """Show any object whole, nested parts indented, numbers plain; short lists entry by entry, long ones counted.

    Parameters
    ----------
    document : with `id`, where it has one.
    heading : what a document without `kind` is called.
    """
    kind = str(document.get("kind", heading)).replace("_", " ")
    body = {key: value for key, value in document.items() if key not in {"kind", "id"}}
    table = columns("", " ")
    table.columns[1].overflow = "fold"
    for label, value in _fields(body):
        table.add_row(Text(label, style="dim", no_wrap=True), Text(value))
    named = [("  ", ""), (str(document["id"]), "bold")] if "id" in document else []
    return Group(Text.assemble((kind, "dim"), *named), table)


def predictions_table(document: Document, top: int = 3) -> RenderableType:
    """Show the document of `predict --json`: each record's label with the best `top` scores as bars, or its value."""
    predictions = document["predictions"]
    if predictions and "value" in predictions[0]:
        table = columns("record", "value", right=("record", "value"))
        for place, prediction in enumerate(predictions, 1):
            table.add_row(f"{place:,}", number(prediction["value"]))
        return table
    table = columns("record", "label", "score", "", right=("record", "score"))
    for place, prediction in enumerate(predictions, 1):
        best = sorted(prediction["scores"].items(), key=lambda entry: -entry[1])[:top]
        for rank, (label, score) in enumerate(best):
            style = "bold" if label == prediction["label"] else "dim"
            shown = Text(legible(label), style=style)
            table.add_row("" if rank else f"{place:,}", shown, f"{score:.4f}", Bar(score, 20))
    return table


def guesses_table(inference: Inference, target_reason: str = "") -> RenderableType:
    """Show what each column was taken for and why: the target first, then the doubtful ones, then the rest."""
    target = inference.schema.target
    row_id = inference.schema.row_id or inference.row_id
    table = columns("", "column", "taken for", "because")
    order = sorted(inference.guesses, key=lambda guess: (guess.name != target, not guess.doubtful))
    for guess in order:
        if guess.name == target:
            mark, kind = Text("target", style="bold"), str(guess.type)
        else:
            mark = Text("look", style="yellow") if guess.doubtful else Text()
            kind = "row id" if guess.name == row_id else "left out" if guess.excluded else str(guess.type)
        reason = (
            f"{guess.reason} (guessed: {target_reason})" if guess.name == target and target_reason else guess.reason
        )
        table.add_row(mark, Text(legible(guess.name)), kind, Text(legible(reason)))
    for column in table.columns[:-1]:
        column.no_wrap = True
    return table


def insights_table(attributes: Iterable[Document]) -> RenderableType:
    """Show the statistics of attributes, those most related to the target first.

    Parameters
    ----------
    attributes : documents with `name` and `type`; where known `missing`, `invalid`, `distinct` (rows, values),
        `correlation` (share of the target's information), and `minimum`, `median`, `maximum` or `most_frequent`.
    """
    table = columns(
        *("attribute", "type", "missing", "invalid", "distinct", "target", "values"),
        right=("missing", "invalid", "distinct", "target"),
    )
    for attribute in sorted(attributes, key=lambda found: -(found.get("correlation") or 0)):
        shared = attribute.get("correlation")
        table.add_row(
            Text(str(attribute["name"])),
            str(attribute["type"]),
            *(_count(attribute.get(key)) for key in ("missing", "invalid", "distinct")),
            "" if shared is None else f"{shared:.3f}",
            Text(_range(attribute)),
        )
    for column in table.columns[:-1]:
        column.no_wrap = True
    return table


def _outcome(entry: Document) -> str:
    """Tell what a person did by hand from what the gate admitted."""
    if entry["status"] == "ADMITTED":
        return {"promote": "PROMOTED", "rollback": "ROLLED BACK"}.get(entry["by"], "ADMITTED")
    return str(entry["status"])


def _succession(entry: Document) -> str:
    champion, before = entry.get("champion"), entry.get("champion_before")
    if champion == before:
        return f"{champion} goes on serving." if champion else "Nobody serves."
    return f"It takes over from {before}." if before else ""


@dataclass(frozen=True)
class _Fingerprint:
    """A fingerprint on one line: its beginning where there is no room for the whole."""

    text: str

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(SHORT_FINGERPRINT + 1, len(self.text))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        whole = len(self.text) <= options.max_width
        yield Text(self.text if whole else f"{self.text[:SHORT_FINGERPRINT]}…", style="dim", no_wrap=True)


def _player(player: Document | None) -> RenderableType:
    if not player:
        return Text("none", style="dim")
    said = Text.assemble((str(player.get("model_id") or "live"), "bold"))
    if player.get("since"):
        said.append(f"  since {moment(player['since'])}", style="dim")
    for name, value in (player.get("metrics") or {}).items():
        said.append(f"\n{metric_label(name)} {figure(name, value)}")
    if player.get("fingerprint"):
        return Group(said, _Fingerprint(player["fingerprint"]))
    return said


def _fields(fields: Document, depth: int = 1) -> Iterator[tuple[str, str]]:
    """Yield every field's indented name and its value; a nested record has none of its own."""
    for key, value in fields.items():
        label = f"{'  ' * depth}{str(key).replace('_', ' ')}"
        if isinstance(value, Mapping) and value:
            yield label, ""
            yield from _fields(value, depth + 1)
        else:
            yield label, _value(str(key), value)


def _value(key: str, value: object) -> str:
    if value is None or value in ({}, [], ()):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return figure(key, value) if isinstance(value, float) else f"{value:,}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _list(value)
    return str(value)


def _list(values: Sequence[object]) -> str:
    """Write a short list, lists and records a line each; count a long one."""
    if all(isinstance(item, str | int | float) for item in values):
        return legible(", ".join(map(str, values))) if len(values) <= _SHORT else f"{len(values):,} entries"
    return "\n".join(map(_entry, values)) if len(values) <= _FEW else f"{len(values):,} entries"


def _entry(item: object) -> str:
    """Write one list or record of a list on a line; of an alert its message, of what was rejected where and why."""
    if not isinstance(item, Mapping):
        return legible(_value("", item))
    if "message" in item:
        return legible(str(item["message"]))
    if {"file", "line", "reason"} <= item.keys():
        of_rows = item["file"] == "rows"  # rows without a usable target are counted as they were read
        where = f"row {item['line']:,} of those read" if of_rows else f"{item['file']} line {item['line']:,}"
        return legible(f"{where}: {item['reason']}")
    return ", ".join(f"{str(key).replace('_', ' ')} {legible(_value(str(key), item[key]))}" for key in item)


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}" if value else "."


def _range(attribute: Document) -> str:
    if attribute.get("minimum") is not None and attribute.get("maximum") is not None:
        middle = f", median {number(attribute['median'])}" if attribute.get("median") is not None else ""
        return f"{number(attribute['minimum'])} to {number(attribute['maximum'])}{middle}"
    usual = attribute.get("most_frequent")
    return "" if usual is None else f"most often {usual}"
