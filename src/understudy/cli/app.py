"""All commands. Each reads its options, calls the house, and prints; imports wait until a command needs them."""

# ruff: noqa: PLC0415 - `--help` must be quick

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from understudy.cli.options import (
    HERE,
    Json,
    ProjectFolder,
    Quiet,
    Version,
    emit,
    load_place,
    load_project,
    notes,
    placing_kernels,
)
from understudy.errors import UsageError

if TYPE_CHECKING:
    from understudy.config import Project
    from understudy.screen import Stages

Made = TypeVar("Made")

NOT_PROMOTED = 3
"""Exit code of `learn --require-promotion` when the challenger was refused or held."""

app = typer.Typer(
    name="understudy",
    help="A model behind a stable name, kept fresh without anybody looking after it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def understudy(version: Version = False) -> None:
    """Keep a model fresh: extract, transform, load, promote; predict at any time."""


DryRun = Annotated[bool, typer.Option("--dry-run", help="Do all but promote.")]
RequirePromotion = Annotated[
    bool, typer.Option("--require-promotion", help="Exit with 3 when the challenger is refused or held.")
]


@app.command()
def init(
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Folder of the new project.", callback=placing_kernels)
    ] = HERE,
    source: Annotated[
        str | None, typer.Option("--from", metavar="FILE_OR_URL", help="Where the rows are; URL#table names a table.")
    ] = None,
    target: Annotated[str | None, typer.Option("--target", help="The attribute to predict.")] = None,
    encoding: Annotated[str, typer.Option("--encoding", help="How the text of the file is encoded.")] = "utf-8",
    json: Json = False,
    quiet: Quiet = False,
    version: Version = False,
) -> None:
    """Write a project file, guessing types and target from the data."""
    from understudy.cli.beginning import begin
    from understudy.screen import guesses_table

    document, inference, reason = begin(directory, source, target, encoding)
    render = (lambda _: guesses_table(inference, reason)) if inference else (lambda d: f"Wrote {d['file']}.")
    emit(document, as_json=json, quiet=quiet, render=render)
    if not json and not quiet:
        todo = f"\nWrote {document['file']}. Look at it" if inference else "Fill in [extract] and [data] there"
        print(f"{todo}, then run: {document['next']}")


@app.command()
def learn(
    project: ProjectFolder = HERE,
    dry_run: DryRun = False,
    require_promotion: RequirePromotion = False,
    json: Json = False,
    quiet: Quiet = False,
    version: Version = False,
) -> None:
    """Extract, transform, load: two data sources, model, evaluation, promotion."""
    from understudy import pipeline

    loaded, document = _watched(project, partial(pipeline.learn, dry_run=dry_run), quiet=quiet)
    _print_learned(loaded, document, json=json, quiet=quiet)
    _require(document, require_promotion)


@app.command()
def extract(project: ProjectFolder = HERE, json: Json = False, quiet: Quiet = False, version: Version = False) -> None:
    """Fetch the rows, first of three stages, into .understudy/work/."""
    from understudy import pipeline
    from understudy.documents import plain
    from understudy.screen import show_object

    _, report = _watched(project, pipeline.extract, quiet=quiet)
    emit(plain(report), as_json=json, quiet=quiet, render=lambda d: show_object(d, "extract"))


@app.command()
def transform(
    project: ProjectFolder = HERE, json: Json = False, quiet: Quiet = False, version: Version = False
) -> None:
    """Turn the rows into observations, second of three stages, in .understudy/work/."""
    from understudy import pipeline
    from understudy.documents import plain
    from understudy.screen import show_object

    _, report = _watched(project, pipeline.transform, quiet=quiet)
    emit(plain(report), as_json=json, quiet=quiet, render=lambda d: show_object(d, "transform"))


@app.command()
def load(
    project: ProjectFolder = HERE,
    dry_run: DryRun = False,
    require_promotion: RequirePromotion = False,
    json: Json = False,
    quiet: Quiet = False,
    version: Version = False,
) -> None:
    """Make data sources, model, evaluation and verdict of the observations, third of three stages."""
    from understudy import pipeline

    loaded, document = _watched(project, partial(pipeline.load, dry_run=dry_run), quiet=quiet)
    _print_learned(loaded, document, json=json, quiet=quiet)
    _require(document, require_promotion)


@app.command()
def predict(
    values: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE ...]", help="One record, as extracted; a JSON object will do."),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(
            "--file", metavar="ROWS", help="CSV, Parquet or JSON lines; - reads CSV or JSON lines from standard input."
        ),
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", metavar="FILE", help="CSV, Parquet or JSON lines; - is standard output.")
    ] = None,
    top: Annotated[int | None, typer.Option("--top", min=1, help="The best N classes only.")] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="ID", help="Any model; left out: the champion.")
    ] = None,
    project: ProjectFolder = HERE,
    json: Json = False,
    quiet: Quiet = False,
    version: Version = False,
) -> None:
    """Predict one record or a file, by the champion."""
    from understudy.cli.predicting import predict_file, predict_record
    from understudy.screen import predictions_table

    if output == "-" and json:
        raise UsageError("--json and --output - both write to standard output", "Use one of them.")
    loaded, note = load_project(project), notes(quiet=quiet)
    document: dict[str, Any] | None
    if file is not None:
        document = predict_file(loaded, file, output, values=values or [], top=top, model_id=model, note=note)
    else:
        document = predict_record(loaded, values or [], output=output, top=top, model_id=model, note=note)
    if document is not None and (output is None or json):
        emit(document, as_json=json, quiet=quiet, render=lambda d: predictions_table(d, top or 3))


@app.command()
def evaluate(
    model: Annotated[
        str | None, typer.Option("--model", metavar="ID", help="Any model; left out: the champion.")
    ] = None,
    file: Annotated[
        str | None,
        typer.Option("--file", metavar="ROWS", help="Labelled rows; left out: its own run's held-out rows."),
    ] = None,
    project: ProjectFolder = HERE,
    json: Json = False,
    quiet: Quiet = False,
    version: Version = False,
) -> None:
    """Judge any model on any labelled rows."""
    from understudy.cli.judging import evaluate_file
    from understudy.screen import evaluation_screen

    document = evaluate_file(load_project(project), file, model)
    emit(document, as_json=json, quiet=quiet, render=evaluation_screen)


@app.command()
def status(project: ProjectFolder = HERE, json: Json = False, quiet: Quiet = False, version: Version = False) -> None:
    """Tell who serves, since when, and how the last run went; without a project, what is kept here."""
    from understudy.cli.looking import status_document
    from understudy.screen import status_panel

    emit(status_document(load_place(project)), as_json=json, quiet=quiet, render=status_panel)


@app.command()
def history(project: ProjectFolder = HERE, json: Json = False, quiet: Quiet = False, version: Version = False) -> None:
    """List all promotions with their verdicts, oldest first, refusals included."""
    from understudy.cli.looking import history_document
    from understudy.screen import history_table

    emit(history_document(load_project(project)), as_json=json, quiet=quiet, render=history_table)


@app.command()
def show(
    id: Annotated[str, typer.Argument(metavar="ID", help="A run, model, data source or evaluation.")],  # noqa: A002
    project: ProjectFolder = HERE,
    json: Json = False,
    quiet: Quiet = False,
    version: Version = False,
) -> None:
    """Show any object whole."""
    from understudy.cli.looking import show_document
    from understudy.screen import show_object

    emit(show_document(load_place(project), id), as_json=json, quiet=quiet, render=show_object)


@app.command()
def promote(
    model_id: Annotated[str, typer.Argument(metavar="MODEL_ID", help="The model that is to serve.")],
    project: ProjectFolder = HERE,
    json: Json = False,
    quiet: Quiet = False,
    version: Version = False,
) -> None:
    """Let a model serve, by hand."""
    from understudy.cli.looking import promote_by_hand
    from understudy.screen import history_table

    entry = promote_by_hand(load_project(project), model_id)
    emit(entry, as_json=json, quiet=quiet, render=lambda e: history_table({"promotions": [e]}))


@app.command()
def rollback(project: ProjectFolder = HERE, json: Json = False, quiet: Quiet = False, version: Version = False) -> None:
    """Return to the champion before, and pin it until `unpin`."""
    from understudy.cli.looking import roll_back
    from understudy.screen import history_table

    entry = roll_back(load_project(project))
    emit(entry, as_json=json, quiet=quiet, render=lambda e: history_table({"promotions": [e]}))
    if not json and not quiet:
        print("Pinned: the gate holds every verdict; `understudy unpin` lets it decide again.")


@app.command()
def unpin(project: ProjectFolder = HERE, json: Json = False, quiet: Quiet = False, version: Version = False) -> None:
    """Let the gate decide again after a rollback."""
    from understudy.cli.looking import unpin as lift
    from understudy.screen import status_panel

    document, was_pinned = lift(load_project(project))
    if not json and not quiet:
        print("Unpinned: the gate decides again." if was_pinned else "It was not pinned: the gate decides as before.")
    emit(document, as_json=json, quiet=quiet, render=status_panel)


@app.command()
def rebuild(
    model_id: Annotated[str, typer.Argument(metavar="MODEL_ID", help="The model to make again.")],
    project: ProjectFolder = HERE,
    json: Json = False,
    quiet: Quiet = False,
    version: Version = False,
) -> None:
    """Make a model again from its stored observations, and compare fingerprints."""
    from understudy import pipeline
    from understudy.screen import show_object

    _, document = _watched(project, lambda p, watch: pipeline.rebuild(p, model_id, watch), quiet=quiet)
    emit(document, as_json=json, quiet=quiet, render=show_object)


@app.command()
def gate(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="Columns label, champion, challenger; for classes champion:CLASS, challenger:CLASS."
        ),
    ],
    rule: Annotated[str, typer.Option(help="not_worse, better, always or never.")] = "not_worse",
    margin: Annotated[float, typer.Option(help="In the metric's unit.")] = 0.01,
    confidence: Annotated[float, typer.Option(help="Of the interval's lower bound.")] = 0.95,
    metric: Annotated[str | None, typer.Option(help="Left out: auc, macro_f1 or rmse by type.")] = None,
    project: ProjectFolder = HERE,
    json: Json = False,
    quiet: Quiet = False,
    version: Version = False,
) -> None:
    """Judge a challenger against a champion on a file of scores: the gate by itself."""
    from understudy.cli.judging import judge_scores
    from understudy.screen import gate_panel

    document = judge_scores(file, rule=rule, margin=margin, confidence=confidence, metric=metric)
    emit(document, as_json=json, quiet=quiet, render=gate_panel)


@app.command()
def serve(
    project: Annotated[
        list[Path] | None,
        typer.Option(
            "--project", metavar="DIR", help="Folder of a project; several make several endpoints.", show_default="here"
        ),
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on; left out: [serve], 127.0.0.1.")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="Left out: [serve], 8080; 0 takes a free one.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes that answer; left out: [serve], one per core.")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option("--tls-cert", metavar="FILE", help="Certificate, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", help="Its key, PEM.")] = None,
    quiet: Quiet = False,
    version: Version = False,
) -> None:
    """Serve Amazon ML's API, S3 and REST on one port; do jobs, and learn by schedule."""
    folders = project or [HERE]
    placing_kernels(folders[0])
    from understudy.cli.serving import serve as run
    from understudy.cli.serving import settings

    asked = settings(folders, host=host, port=port, workers=workers, certificate=tls_cert, key=tls_key)
    run(asked, (lambda _: None) if quiet else lambda text: print(text, file=sys.stderr, flush=True))


@app.command()
def env(
    key: Annotated[
        str | None, typer.Option("--key", metavar="NAME", help="A key of this name, made where there is none.")
    ] = None,
    role: Annotated[
        str | None, typer.Option("--role", help="admin or predict; left out: as the key is, admin where it is new.")
    ] = None,
    project: ProjectFolder = HERE,
    json: Json = False,
    quiet: Quiet = False,
    version: Version = False,
) -> None:
    """Print export lines that point AWS clients here: address, access key, region."""
    from understudy.cli.access import environment, export_lines

    variables = environment(project, key, role, notes(quiet=quiet))
    if json:
        emit(variables, as_json=True, quiet=quiet, render=str)
    else:
        print(export_lines(variables))


@app.command()
def token(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Left out: list the tokens.")] = None,
    role: Annotated[
        str | None, typer.Option("--role", help="admin or predict; left out: admin.", show_default=False)
    ] = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take the token away; it counts no longer.")] = False,
    project: ProjectFolder = HERE,
    json: Json = False,
    quiet: Quiet = False,
    version: Version = False,
) -> None:
    """Make a token for the REST API and print it, this once; revoke one; list them."""
    from understudy.cli.access import list_tokens, make_token, revoke_token, token_lines

    if name is None and (revoke or role):
        raise UsageError("which token? --role and --revoke need a name", "`understudy token` lists those that exist.")
    if name is None:
        document = list_tokens(project)
    else:
        document = revoke_token(project, name) if revoke else make_token(project, name, role)
    if json:
        emit(document, as_json=True, quiet=quiet, render=str)
    elif "token" in document or not quiet:
        print(token_lines(document))


def _watched(folder: Path, work: Callable[[Project, Stages], Made], *, quiet: bool) -> tuple[Project, Made]:
    """Do a piece of the pipeline's work with its stages shown; return the project and what was made."""
    from understudy.screen import Stages

    project = load_project(folder)
    with Stages(quiet=quiet) as stages:
        return project, work(project, stages)


def _print_learned(project: Project, document: dict[str, Any], *, json: bool, quiet: bool) -> None:
    from understudy.cli.access import reached_at
    from understudy.folders import PRIVATE
    from understudy.house import House
    from understudy.screen import make_console, print_learned

    document["endpoint"]["url"] = reached_at(project.root / PRIVATE, project.serve)  # where a server runs by now
    if json:
        emit(document, as_json=True, quiet=quiet, render=str)
    elif not quiet:
        evaluation = House(project).catalog.get(document["evaluation_id"], "evaluation").document
        print_learned(make_console(sys.stdout), document, evaluation)


def _require(document: dict[str, Any], required: bool) -> None:
    if required and document["verdict"]["status"] != "ADMITTED":
        raise typer.Exit(NOT_PROMOTED)
