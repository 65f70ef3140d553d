"""The documentation says what is there: every command, every option, nothing else."""

import re
import runpy
import shlex
import tomllib
from pathlib import Path

import pytest

from understudy.cli.app import app
from understudy.config import parse

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
COMMANDS = app.commands


def _written_commands():
    """Read every command line that starts with `understudy` out of the pages' code blocks."""
    for page in PAGES:
        for block in re.findall(r"^```[^\n]*\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
            for line in re.findall(r"^(?:\$ )?understudy (.+)", block, re.MULTILINE):
                yield pytest.param(re.split(r" (?:[|>#]|2>) ?", line)[0], id=f"{page.name}: {line}")


@pytest.mark.parametrize("line", list(_written_commands()))
def test_command_on_a_page_parses(line):
    """A command that a page shows exists, and takes the options and arguments that it is shown with."""
    name, *words = shlex.split(line)
    COMMANDS[name].make_context(name, words)


def test_project_files_on_pages_are_valid():
    """A whole project file that a page shows is accepted as it stands."""
    shown = [
        text for page in PAGES for text in re.findall(r"^```toml\n(name = .*?)^```", page.read_text(), re.M | re.S)
    ]
    assert len(shown) >= 2
    for text in shown:
        parse(tomllib.loads(text), root=ROOT)


def test_command_line_reference_is_fresh():
    """docs/cli.md is what `make docs` would write."""
    script = runpy.run_path(str(ROOT / "scripts" / "cli_reference.py"))
    assert script["PAGE"].read_text() == script["reference"]()


@pytest.mark.parametrize("name", list(COMMANDS))
def test_command_says_what_it_and_its_options_do(name):
    """No command, argument or option is without a sentence in its help."""
    command = COMMANDS[name]
    assert command.help
    assert [parameter.name for parameter in command.params if not getattr(parameter, "help", None)] == []


def test_links_between_pages_lead_somewhere():
    """A relative link names a file that exists, and a heading that stands in it."""
    broken = []
    for page in PAGES:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            file, _, heading = link.partition("#")
            target = page.parent / file if file else page
            if "://" not in link and not (target.exists() and (not heading or heading in _headings(target))):
                broken.append(f"{page.relative_to(ROOT)}: {link}")
    assert not broken


def test_every_page_is_in_the_index():
    """docs/README.md links to every page beside it and to every decision."""
    docs = ROOT / "docs"
    linked = set(re.findall(r"\]\(([^)#\s]+)", (docs / "README.md").read_text()))
    assert {str(page.relative_to(docs)) for page in docs.rglob("*.md")} - {"README.md"} <= linked


def _headings(page):
    """Name a page's headings as links do."""
    titles = re.findall(r"^#+ (.+)", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
