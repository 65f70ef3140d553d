"""The project file: what is read, and how a mistake in it is told."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields

from understudy.config import (
    Extract,
    Place,
    Project,
    Serve,
    Settings,
    load,
    load_place,
    parse_duration,
    parse_parameters,
    tables,
)
from understudy.errors import ConfigError
from understudy.schema import AttributeType, ModelType

MINIMAL = 'name = "policies"\n[extract]\nfiles = "data/*.csv"\n'

FULL = """
name = "policies"
[extract]
url = "sqlite:///app.db"
query = "select id, number, policy from insurance_numbers"
max_rejected = 0
[transform]
function = "features:expand"
recipe = "recipe.json"
[data]
target = "policy"
row_id = "id"
schema = "policies.schema"
types = { zip = "CATEGORICAL" }
exclude = ["number"]
split = { strategy = "random", train = 80, seed = "x" }
positive = "yes"
[train]
type = "BINARY"
parameters = { "sgd.maxPasses" = 20, "sgd.shuffleType" = "none", "sgd.l2RegularizationAmount" = 1e-6 }
[promotion]
metric = "log_loss"
rule = "better"
margin = 0
confidence = 0.9
minimum = 0.5
[schedule]
cron = "0 3 * * mon-fri"
[store]
catalog = "postgresql://host/db"
objects = "/var/objects"
keep = { runs = 2, models = 9 }
[serve]
host = "0.0.0.0"
port = 80
public_url = "https://example.org"
workers = 2
[predictions]
keep = "90d"
[learning]
enabled = true
snapshot_every = { rows = 10, seconds = 2 }
"""


@pytest.fixture
def write(tmp_path: Path):
    """Write a project file and read it back."""

    def written(text: str) -> Project:
        (tmp_path / "understudy.toml").write_text(text)
        return load(tmp_path)

    return written


def test_minimal_file_gets_the_defaults_of_the_design(write):
    """Every key but the name and a source may be left out, and then has the value that the documentation names."""
    project = write(MINIMAL)
    assert (project.name, project.extract) == ("policies", (Extract(files="data/*.csv"),))
    assert (project.data.split.strategy, project.data.split.train) == ("stable", 70)
    assert (project.promotion.rule, project.promotion.margin, project.promotion.confidence) == ("not_worse", 0.01, 0.95)
    assert (project.store.keep.runs, project.store.keep.models) == (4, 50)
    assert (project.serve.host, project.serve.port, project.serve.workers) == ("127.0.0.1", 8080, None)
    assert project.schedule is None
    assert project.predictions.kept_for is None
    assert project.learning.enabled is False


def test_full_file_is_read_key_by_key(write):
    """Every table and key of the design is understood."""
    project = write(FULL)
    assert project.extract[0].query == "select id, number, policy from insurance_numbers"
    assert project.data.types == {"zip": AttributeType.CATEGORICAL}
    assert project.data.exclude == ("number",)
    assert project.train.type is ModelType.BINARY
    assert project.train.settings() == Settings(max_passes=20, shuffle=False, l2=1e-6)
    assert project.predictions.kept_for == timedelta(days=90)
    assert project.learning.snapshot_every.rows == 10


def test_paths_are_relative_to_the_project_whatever_the_current_folder(write, tmp_path):
    """Paths, globs and sqlite urls are anchored at the project's folder; absolute ones and other urls stay."""
    project = write(MINIMAL)
    assert project.path("recipe.json") == tmp_path / "recipe.json"
    assert project.location("data/*.csv") == f"{tmp_path}/data/*.csv"
    assert project.location("s3://bucket/rows/") == "s3://bucket/rows/"
    assert project.database_url("sqlite:///app.db") == f"sqlite:///{tmp_path}/app.db"
    for url in ("sqlite:////var/app.db", "sqlite://", "sqlite:///:memory:", "postgresql://host/db"):
        assert project.database_url(url) == url


def test_several_sources_share_one_column(write):
    """Several [[extract]] come in order, and `join` may be said once."""
    project = write(
        'name = "a"\n[[extract]]\nname = "x"\nfiles = "x.csv"\njoin = "id"\n[[extract]]\nname = "y"\nfiles = ["y.csv"]'
    )
    assert [source.name for source in project.extract] == ["x", "y"]
    assert project.extract[1].files == ("y.csv",)
    assert project.join == "id"


def test_environment_variables_are_filled_in_anywhere(write, monkeypatch):
    """${NAME} takes the variable's text in any string, lists and nested tables included."""
    monkeypatch.setenv("SEED", "s1")
    project = write(MINIMAL + '[data]\nexclude = ["a-${SEED}"]\nsplit = { seed = "${SEED}" }')
    assert project.data.exclude == ("a-s1",)
    assert project.data.split.seed == "s1"


def test_unset_variable_names_itself_and_its_key(write, monkeypatch):
    """A variable that is not set is an error that says which and where."""
    monkeypatch.delenv("NOWHERE", raising=False)
    with pytest.raises(ConfigError, match=r"data\.target takes \$\{NOWHERE\}"):
        write(MINIMAL + '[data]\ntarget = "${NOWHERE}"')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[data]\ntagret = "x"', r"\[data\] has the unknown key 'tagret' \(line 5\)\nDid you mean 'target'\?"),
        ("[dta]\nx = 1", r"unknown key 'dta' \(line 4\)\nDid you mean 'data'\?"),
        (
            "[data]\nsplit = { tran = 70 }",
            r"\[data.split\] has the unknown key 'tran' \(line 5\)\nDid you mean 'train'",
        ),
        ("[data.split]\nstrategy = 'stabel'", r"data.split.strategy \(line 5\) is 'stabel'\nDid you mean 'stable'"),
        ("[data]\ntarget = 3", r"data.target \(line 5\) is 3; expected text"),
        ("[data]\ntypes = { a = 'categorical' }", "data.types .* is .*\\nDid you mean 'CATEGORICAL'"),
        ("[data]\nsplit = { train = 0 }", r"data.split.train \(line 5\) is 0; expected a whole number of at least 1"),
        ("[data]\nsplit = { train = 100 }", "is 100; expected a whole number of at most 99"),
        ("[train]\ntype = 'binary'", "Did you mean 'BINARY'"),
        ("[train.parameters]\n'sgd.maxPases' = 1", "unknown parameter 'sgd.maxPases'\nDid you mean 'sgd.maxPasses'"),
        (
            "[train.parameters]\n'sgd.maxPasses' = 0",
            r"sgd.maxPasses \(line 5\) is 0\nGive a whole number from 1 to 10,000",
        ),
        ("[promotion]\nconfidence = 0.5", r"promotion.confidence .* is 0.5; expected a number above 0.5"),
        ("[train.parameters]\nsgd.maxPasses = 20", r'Put the key in quotes: "sgd.maxPasses" = 20'),
        ("[data]\npositive = [1]", "expected true or false, a number or text"),
        ("[learning]\nenabled = 'yes'", "is 'yes'; expected true or false"),
        ("[promotion]\nconfidence = 1.0", "expected a number below 1"),
        ("[promotion]\nmargin = -0.1", r"promotion.margin \(line 5\) is -0.1"),
        ("[promotion]\nmargin = nan", r"promotion.margin \(line 5\) is nan"),
        ("[promotion]\nmetric = 'auc'\n[train]\ntype = 'REGRESSION'", "does not judge a REGRESSION model"),
        ("[promotion]\nmetric = 'gini'", "Use one of accuracy, auc"),
        ("[transform]\nfunction = 'features'", "expected module:function"),
        ("[schedule]\nevery = '1w'\ncron = '0 3 * * 1'", "exactly one of"),
        ("[schedule]\nevery = 'weekly'", r"schedule.every \(line 5\) is 'weekly'"),
        ("[schedule]\ncron = '0 3 * *'", "has 4 fields instead of 5"),
        ("[schedule]\ncron = '60 3 * * 1'", "the minute is '60'"),
        ("[store]\nkeep = { runs = 0 }", "store.keep.runs .* is 0"),
        ("[data]\ntarget =", r"is not TOML: .*end of document"),
        ("[data]\ntarget 3", r"is not TOML: .*line 5, column 8"),
    ],
)
def test_mistake_is_told_with_place_found_and_remedy(write, text, message):
    """A mistake in the project file is wrong usage and says where it stands, what was found and what would do."""
    with pytest.raises(ConfigError, match=message) as caught:
        write(MINIMAL + text)
    assert caught.value.exit_code == 2
    assert caught.value.hint or "line" in caught.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[extract]\nfiles = "a.csv"', "has no `name`"),
        ('name = "a"', "has no `extract`"),
        ('name = "Big Name"\n[extract]\nfiles = "a.csv"', "1 to 63"),
        (f'name = "{"a" * 64}"\n[extract]\nfiles = "a.csv"', "1 to 63"),
        ('name = "a"\n[extract]\nfiles = "a.csv"\nurl = "sqlite:///a.db"', "has url and files"),
        ('name = "a"\n[extract]\nurl = "sqlite:///a.db"', "has url; expected exactly one way"),
        ('name = "a"\n[extract]\nquery = "select 1"\nfiles = "a.csv"', "has query and files"),
        ('name = "a"\n[extract]', "has no source"),
        ('name = "a"\n[extract]\nfiles = "a.csv"\nencoding = "utf-9"', r"extract.encoding \(line 4\) is 'utf-9'"),
        ('name = "a"\n[[extract]]\nfiles = "a.csv"\n[[extract]]\nfiles = "b.csv"', "need a `name` each"),
        (
            'name = "a"\n[[extract]]\nname = "x"\nfiles = "a.csv"\n[[extract]]\nname = "y"\nfiles = "b.csv"',
            "need one column to join by",
        ),
        (MINIMAL.replace("files", "flies"), r"unknown key 'flies' \(line 3\)\nDid you mean 'files'"),
        ("root = '/'\n" + MINIMAL, "unknown key 'root'"),
    ],
)
def test_source_that_cannot_be_read_is_told(write, text, message):
    """Name and sources are checked before anything runs."""
    with pytest.raises(ConfigError, match=message):
        write(text)


def test_missing_file_points_to_init(tmp_path):
    """Where there is no project file the error names the folder and the command that writes one."""
    with pytest.raises(ConfigError, match="understudy init") as caught:
        load(tmp_path)
    assert str(tmp_path) in caught.value.message


def test_file_that_is_not_utf8_is_told(tmp_path):
    """Bytes that are no UTF-8 are an error of the project file, not a traceback."""
    (tmp_path / "understudy.toml").write_bytes(b'name = "caf\xe9"')
    with pytest.raises(ConfigError, match="UTF-8"):
        load(tmp_path)


PLACE = '[store]\nkeep = { runs = 2 }\n[serve]\nport = 80\nbuckets = ["raw"]\ndatabases = { app = "mysql://db/app" }\n'


def test_file_without_name_and_source_is_a_place(tmp_path):
    """Who serves Amazon ML alone writes [store] and [serve] and nothing else, or no file at all."""
    assert load_place(tmp_path) == Place(root=tmp_path)
    (tmp_path / "understudy.toml").write_text(PLACE)
    place = load_place(tmp_path)
    assert isinstance(place, Place)
    assert (place.root, place.store.keep.runs) == (tmp_path, 2)
    assert place.serve == Serve(port=80, buckets=("raw",), databases={"app": "mysql://db/app"})
    assert load_place(tmp_path / "understudy.toml") == place


def test_file_of_a_project_is_no_place(write, tmp_path):
    """Whoever may be served without a project is served with it where there is one."""
    assert load_place(tmp_path) != write(MINIMAL) == load_place(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[serv]\nport = 80", r"unknown key 'serv' \(line 1\)\nDid you mean 'serve'\?"),
        ("[serve]\nbucket = []", r"\[serve\] has the unknown key 'bucket' \(line 2\)\nDid you mean 'buckets'\?"),
        ("[store]\nkeep = { runs = 0 }", r"store.keep.runs .* is 0; expected a whole number of at least 1"),
        ('[serve]\n[data]\ntarget = "y"', "has no `name`"),
        ('name = "a"\n[serve]\nport = 80', "has no `extract`"),
    ],
)
def test_mistake_in_the_file_of_a_place_is_told(tmp_path, text, message):
    """What a place does not know is told as a project's is; a table of a project's makes it one that lacks the rest."""
    (tmp_path / "understudy.toml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_place(tmp_path)


def test_place_is_no_project(write):
    """What needs a project says that the file is none, and what would make it one."""
    with pytest.raises(ConfigError, match=r"is no project: it has neither `name` nor \[extract\]"):
        write(PLACE)


def test_folder_is_told_without_dots(tmp_path):
    """A folder is named as it can be found from anywhere; one that is not there is told apart from one without file."""
    with pytest.raises(ConfigError, match=f"there is no understudy.toml in {tmp_path}\n"):
        load(tmp_path / "x" / "..")
    with pytest.raises(ConfigError, match=f"there is no folder {tmp_path}/nowhere\n"):
        load_place(tmp_path / "x" / ".." / "nowhere")


@pytest.mark.parametrize("text", ["* * * * *", "*/5 0-6 1,15 jan-mar 0", "0 3 * * 7", "0 0 1-31/2 * sun,SAT"])
def test_cron_expression_is_accepted_in_its_usual_forms(write, text):
    """Stars, steps, ranges, lists and names are all understood."""
    assert write(MINIMAL + f'[schedule]\ncron = "{text}"').schedule.cron == text


@pytest.mark.parametrize("text", ["a * * * *", "5-1 * * * *", "*/0 * * * *", "1-2-3 * * * *", "* * 0 * *", ", * * * *"])
def test_cron_expression_that_means_nothing_is_refused(write, text):
    """A field out of range, backwards, or no number is an error."""
    with pytest.raises(ConfigError, match=r"schedule\.cron"):
        write(MINIMAL + f'[schedule]\ncron = "{text}"')


@given(st.integers(1, 99_999), st.sampled_from(["s", "m", "h", "d", "w"]))
def test_duration_is_its_number_of_units(number, unit):
    """A duration is the number times the unit."""
    seconds = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}[unit]
    assert parse_duration(f"{number}{unit}") == timedelta(seconds=number * seconds)


@pytest.mark.parametrize("text", ["", "0d", "1", "d", "1.5h", "-1d", "1d ", "1y", "9999999w", "1w2d"])
def test_duration_of_another_form_is_refused(text):
    """Anything but a whole number above 0 and one unit is an error with examples."""
    with pytest.raises(ConfigError, match="90d"):
        parse_duration(text)


def test_parameters_are_read_from_text_as_amazon_sends_them():
    """All values may be text, as on Amazon ML's wire; what is not given is left to the learner."""
    assert parse_parameters({}) == Settings()
    read = parse_parameters(
        {"sgd.maxPasses": "7", "sgd.l1RegularizationAmount": "1.0E-08", "sgd.l2RegularizationAmount": "0"}
    )
    assert read == Settings(max_passes=7, l1=1e-8, l2=0.0)
    assert parse_parameters({"sgd.maxMLModelSizeInBytes": 100_000}).max_size_bytes == 100_000


@pytest.mark.parametrize(
    "parameters",
    [
        {"sgd.l1RegularizationAmount": 1e-6, "sgd.l2RegularizationAmount": 1e-6},
        {"sgd.l1RegularizationAmount": -1},
        {"sgd.l2RegularizationAmount": "inf"},
        {"sgd.maxPasses": 2.5},
        {"sgd.maxPasses": 10_001},
        {"sgd.maxPasses": "many"},
        {"sgd.maxMLModelSizeInBytes": 99_999},
        {"sgd.maxMLModelSizeInBytes": 2**31 + 1},
        {"sgd.shuffleType": "AUTO"},
    ],
)
def test_parameters_out_of_range_are_refused(parameters):
    """The ranges of Amazon ML hold, and L1 and L2 exclude each other."""
    with pytest.raises(ConfigError):
        parse_parameters(parameters)


def test_every_key_is_documented():
    """The page on the project file names every table and every key."""
    page = (Path(__file__).parents[1] / "docs" / "project-file.md").read_text()
    records = [value for value in vars(tables).values() if isinstance(value, type) and issubclass(value, tables._Table)]
    keys = {field.name for record in records for field in fields(record)} - {"root"}
    assert sorted(key for key in keys if f"`{key}`" not in page) == []
