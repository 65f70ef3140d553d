"""All commands. Each reads its options, calls the house, and prints; imports wait until a command needs them."""

# ruff: noqa: PLC0415 - `--help` must be quick

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from understudy.cli.kernels import place_kernels
from understudy.cli.options import (
    FOLDER,
    HERE,
    as_json,
    at_work,
    common,
    emit,
    load_place,
    load_project,
    notes,
    placing_kernels,
    quietly,
    tell_of_compiling,
    version,
)
from understudy.errors import UsageError

if TYPE_CHECKING:
    from understudy.config import Project
    from understudy.screen.stages import Stages

Made = TypeVar("Made")

NOT_PROMOTED = 3
"""Exit code of `learn --require-promotion` when the challenger was refused or held."""
WITHOUT_WORDS = 2
"""Exit code of `understudy` alone, which shows its help."""


class _Commands(click.Group):
    """Commands that help lists in the order in which they are needed, each with its whole sentence."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.help or "") for name, command in self.commands.items()])


@click.group(cls=_Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@version
@click.pass_context
def app(context: click.Context) -> None:
    """A model behind a stable name, kept fresh without anybody looking after it."""  # noqa: D401 - it is no deed
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
        context.exit(WITHOUT_WORDS)


dry_run = click.option("--dry-run", is_flag=True, help="Do all but promote.")
require_promotion = click.option(
    "--require-promotion", is_flag=True, help="Exit with 3 when the challenger is refused or held."
)
any_model = click.option("--model", metavar="ID", help="Any model; left out: the champion.")


@app.command()
@click.argument(
    "directory", metavar="[DIR]", type=FOLDER, default=HERE, callback=placing_kernels, help="Folder of the new project."
)
@click.option("--from", "source", metavar="FILE_OR_URL", help="Where the rows are; URL#table names a table.")
@click.option("--target", metavar="NAME", help="The attribute to predict.")
@click.option(
    "--encoding", metavar="NAME", default="utf-8", show_default=True, help="How the text of the file is encoded."
)
@as_json
@quietly
@version
def init(directory: Path, source: str | None, target: str | None, encoding: str, json: bool, quiet: bool) -> None:
    """Write a project file, guessing types and target from the data."""
    from understudy.cli.beginning import begin
    from understudy.screen.tables import guesses_table

    at_work()
    note = notes(quiet=quiet)
    tell_of_compiling(note)
    document, inference, reason = begin(directory, source, target, encoding, note)
    render = (lambda _: guesses_table(inference, reason)) if inference else (lambda d: f"Wrote {d['file']}.")
    emit(document, as_json=json, quiet=quiet, render=render)
    if not json and not quiet:
        todo = f"\nWrote {document['file']}. Look at it" if inference else "Fill in [extract] and [data] there"
        print(f"{todo}, then run: {document['next']}")


@app.command()
@dry_run
@require_promotion
@common
def learn(project: Path, dry_run: bool, require_promotion: bool, json: bool, quiet: bool) -> None:
    """Extract, transform, load: two data sources, model, evaluation, promotion."""
    from understudy import pipeline

    loaded, document = _watched(project, partial(pipeline.learn, dry_run=dry_run), quiet=quiet)
    _print_learned(loaded, document, dry_run=dry_run, json=json, quiet=quiet)
    _require(document, require_promotion)


@app.command()
@common
def extract(project: Path, json: bool, quiet: bool) -> None:
    """Fetch the rows, first of three stages, into .understudy/work/."""
    from understudy import pipeline
    from understudy.documents import plain
    from understudy.screen.tables import show_object

    _, report = _watched(project, pipeline.extract, quiet=quiet)
    emit(plain(report), as_json=json, quiet=quiet, render=lambda d: show_object(d, "extract"))


@app.command()
@common
def transform(project: Path, json: bool, quiet: bool) -> None:
    """Turn the rows into observations, second of three stages, in .understudy/work/."""
    from understudy import pipeline
    from understudy.documents import plain
    from understudy.screen.tables import show_object

    _, report = _watched(project, pipeline.transform, quiet=quiet)
    emit(plain(report), as_json=json, quiet=quiet, render=lambda d: show_object(d, "transform"))


@app.command()
@dry_run
@require_promotion
@common
def load(project: Path, dry_run: bool, require_promotion: bool, json: bool, quiet: bool) -> None:
    """Make data sources, model, evaluation and verdict of the observations, third of three stages."""
    from understudy import pipeline

    loaded, document = _watched(project, partial(pipeline.load, dry_run=dry_run), quiet=quiet)
    _print_learned(loaded, document, dry_run=dry_run, json=json, quiet=quiet)
    _require(document, require_promotion)


@app.command()
@click.argument("values", metavar="[KEY=VALUE ...]", nargs=-1, help="One record, as extracted; a JSON object will do.")
@click.option(
    "--file", metavar="ROWS", help="CSV, Parquet or JSON lines; - reads CSV or JSON lines from standard input."
)
@click.option("--output", metavar="FILE", help="CSV, Parquet or JSON lines; - is standard output.")
@click.option("--top", metavar="N", type=click.IntRange(min=1), help="The best N classes only.")
@any_model
@common
def predict(
    values: tuple[str, ...],
    file: str | None,
    output: str | None,
    top: int | None,
    model: str | None,
    project: Path,
    json: bool,
    quiet: bool,
) -> None:
    """Predict one record or a file, by the champion."""
    from understudy.cli.predicting import predict_file, predict_record
    from understudy.screen.tables import predictions_table

    if output == "-" and json:
        raise UsageError("--json and --output - both write to standard output", "Use one of them.")
    loaded, note = load_project(project), notes(quiet=quiet)
    document: dict[str, Any] | None
    if file is not None:
        tell_of_compiling(note)
        document = predict_file(loaded, file, output, values=values, top=top, model_id=model, note=note)
    else:
        document = predict_record(loaded, values, output=output, top=top, model_id=model, note=note)
    if document is not None and (output is None or json):
        emit(document, as_json=json, quiet=quiet, render=lambda d: predictions_table(d, top or 3))


@app.command()
@any_model
@click.option("--file", metavar="ROWS", help="Labelled rows; left out: its own run's held-out rows.")
@common
def evaluate(model: str | None, file: str | None, project: Path, json: bool, quiet: bool) -> None:
    """Judge any model on any labelled rows."""
    from understudy.cli.judging import evaluate_file
    from understudy.screen.learned import evaluation_screen

    loaded = load_project(project)
    tell_of_compiling(notes(quiet=quiet))
    document = evaluate_file(loaded, file, model)
    emit(document, as_json=json, quiet=quiet, render=evaluation_screen)


@app.command()
@common
def status(project: Path, json: bool, quiet: bool) -> None:
    """Tell who serves, since when, and how the last run went; without a project, what is kept here."""
    from understudy.cli.looking import status_document
    from understudy.screen.tables import status_panel

    emit(status_document(load_place(project)), as_json=json, quiet=quiet, render=status_panel)


@app.command()
@common
def history(project: Path, json: bool, quiet: bool) -> None:
    """List all promotions with their verdicts, oldest first, refusals included."""
    from understudy.cli.looking import history_document
    from understudy.screen.tables import history_table

    emit(history_document(load_project(project)), as_json=json, quiet=quiet, render=history_table)


@app.command()
@click.argument("id", metavar="ID", help="A run, model, data source or evaluation.")
@common
def show(id: str, project: Path, json: bool, quiet: bool) -> None:  # noqa: A002
    """Show any object whole."""
    from understudy.cli.looking import show_document
    from understudy.screen.tables import show_object

    emit(show_document(load_place(project), id), as_json=json, quiet=quiet, render=show_object)


@app.command()
@click.argument("model_id", metavar="MODEL_ID", help="The model that is to serve.")
@common
def promote(model_id: str, project: Path, json: bool, quiet: bool) -> None:
    """Let a model serve, by hand."""
    from understudy.cli.looking import promote_by_hand
    from understudy.screen.tables import history_table

    entry = promote_by_hand(load_project(project), model_id)
    emit(entry, as_json=json, quiet=quiet, render=lambda e: history_table({"promotions": [e]}))


@app.command()
@common
def rollback(project: Path, json: bool, quiet: bool) -> None:
    """Return to the champion before, and pin it until `unpin`."""
    from understudy.cli.looking import roll_back
    from understudy.screen.tables import history_table

    entry = roll_back(load_project(project))
    emit(entry, as_json=json, quiet=quiet, render=lambda e: history_table({"promotions": [e]}))
    if not json and not quiet:
        print("Pinned: the gate holds every verdict; `understudy unpin` lets it decide again.")


@app.command()
@common
def unpin(project: Path, json: bool, quiet: bool) -> None:
    """Let the gate decide again after a rollback."""
    from understudy.cli.looking import unpin as lift
    from understudy.screen.tables import status_panel

    document, was_pinned = lift(load_project(project))
    if not json and not quiet:
        print("Unpinned: the gate decides again." if was_pinned else "It was not pinned: the gate decides as before.")
    emit(document, as_json=json, quiet=quiet, render=status_panel)


@app.command()
@click.argument("model_id", metavar="MODEL_ID", help="The model to make again.")
@common
def rebuild(model_id: str, project: Path, json: bool, quiet: bool) -> None:
    """Make a model again from its stored observations, and compare fingerprints."""
    from understudy import pipeline
    from understudy.screen.tables import show_object

    _, document = _watched(project, lambda p, watch: pipeline.rebuild(p, model_id, watch), quiet=quiet)
    emit(document, as_json=json, quiet=quiet, render=show_object)


@app.command()
@click.argument(
    "file", metavar="FILE", help="Columns label, champion, challenger; for classes champion:CLASS, challenger:CLASS."
)
@click.option("--rule", default="not_worse", show_default=True, help="not_worse, better, always or never.")
@click.option("--margin", type=float, default=0.01, show_default=True, help="In the metric's unit.")
@click.option("--confidence", type=float, default=0.95, show_default=True, help="Of the interval's lower bound.")
@click.option("--metric", help="Left out: auc, macro_f1 or rmse by type.")
@common
def gate(
    file: str,
    rule: str,
    margin: float,
    confidence: float,
    metric: str | None,
    project: Path,
    json: bool,
    quiet: bool,
) -> None:
    """Judge a challenger against a champion on a file of scores: the gate by itself."""
    from understudy.cli.judging import judge_scores
    from understudy.screen.learned import gate_panel

    at_work()
    tell_of_compiling(notes(quiet=quiet))
    document = judge_scores(file, rule=rule, margin=margin, confidence=confidence, metric=metric)
    emit(document, as_json=json, quiet=quiet, render=gate_panel)


@app.command()
@click.option(
    "--project",
    "folders",
    metavar="DIR",
    type=FOLDER,
    multiple=True,
    help="Folder of a project; left out: here. Several make several endpoints.",
)
@click.option("--host", metavar="ADDRESS", help="Address to listen on; left out: [serve], 127.0.0.1.")
@click.option(
    "--port", metavar="PORT", type=click.IntRange(0, 65535), help="Left out: [serve], 8080; 0 takes a free one."
)
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(min=1),
    help="Processes that answer; left out: [serve], one per core.",
)
@click.option("--tls-cert", metavar="FILE", type=FOLDER, help="Certificate, PEM.")
@click.option("--tls-key", metavar="FILE", type=FOLDER, help="Its key, PEM.")
@quietly
@version
def serve(
    folders: tuple[Path, ...],
    host: str | None,
    port: int | None,
    workers: int | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    quiet: bool,
) -> None:
    """Serve Amazon ML's API, S3 and REST on one port; do jobs, and learn by schedule."""
    folders = folders or (HERE,)
    place_kernels(folders[0])
    from understudy.cli.serving import serve as run
    from understudy.cli.serving import settings

    asked = settings(folders, host=host, port=port, workers=workers, certificate=tls_cert, key=tls_key)
    run(asked, (lambda _: None) if quiet else lambda text: print(text, file=sys.stderr, flush=True))


@app.command()
@click.option("--key", metavar="NAME", help="A key of this name, made where there is none.")
@click.option("--role", help="admin or predict; left out: as the key is, admin where it is new.")
@common
def env(key: str | None, role: str | None, project: Path, json: bool, quiet: bool) -> None:
    """Print export lines that point AWS clients here: address, access key, region."""
    from understudy.cli.access import environment, export_lines

    variables = environment(project, key, role, notes(quiet=quiet))
    if json:
        emit(variables, as_json=True, quiet=quiet, render=str)
    else:
        print(export_lines(variables))


@app.command()
@click.argument("name", metavar="[NAME]", required=False, help="Left out: list the tokens.")
@click.option("--role", help="admin or predict; left out: admin.")
@click.option("--revoke", is_flag=True, help="Take the token away; it counts no longer.")
@common
def token(name: str | None, role: str | None, revoke: bool, project: Path, json: bool, quiet: bool) -> None:
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
    from understudy.screen.stages import Stages

    project = load_project(folder)
    with Stages(quiet=quiet) as stages:
        tell_of_compiling(stages.note)
        return project, work(project, stages)


def _print_learned(project: Project, document: dict[str, Any], *, dry_run: bool, json: bool, quiet: bool) -> None:
    from understudy.cli.access import reached_at
    from understudy.folders import PRIVATE
    from understudy.house import House
    from understudy.screen.learned import print_learned
    from understudy.screen.words import make_console

    document["endpoint"]["url"] = reached_at(project.root / PRIVATE, project.serve)  # where a server runs by now
    if json:
        emit(document, as_json=True, quiet=quiet, render=str)
    elif not quiet:
        evaluation = House(project).catalog.get(document["evaluation_id"], "evaluation").document
        print_learned(make_console(sys.stdout), document, evaluation, dry_run=dry_run)


def _require(document: dict[str, Any], required: bool) -> None:
    if required and document["verdict"]["status"] != "ADMITTED":
        click.get_current_context().exit(NOT_PROMOTED)
