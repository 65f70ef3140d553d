"""The project's own function is stored as source, run in isolation, and proven to look at each row alone."""

import sys

import pyarrow as pa
import pytest

from understudy.errors import ConfigError, TransformError
from understudy.transform import TransformSource, collect, load, prove_row_wise
from understudy.values import CODED, coded_batch, plain_batch

ROWS = pa.RecordBatch.from_pydict({"id": [1, 2, 3], "city": ["Rome", "Bern", "Oslo"], "policy": ["a", "b", "a"]})

UPPER = """
import pyarrow as pa
import pyarrow.compute as pc

def expand(batch):
    return batch.append_column("upper", pc.utf8_upper(batch.column("city")))
"""


def _write(root, **files):
    for name, text in files.items():
        path = root / (name.replace("__", "/").replace("/init", "/__init__") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _loaded(body, function="features:expand"):
    return load(TransformSource(function, {"features.py": "import pyarrow as pa\n" + body}))


def test_collect_takes_the_modules_of_the_project_that_are_imported(tmp_path):
    """Imports at the top and inside functions, absolute and relative, of modules and packages, are followed."""
    _write(
        tmp_path,
        features="import json\nfrom tools import words\ndef expand(batch):\n    import lazy\n    return batch\n",
        tools__init="", tools__words="from . import letters\nfrom .deep.er import x\n", tools__letters="",
        tools__deep__init="", tools__deep__er="x = 1\n", tools__unused="", lazy="import features\n", other="",
    )  # fmt: skip
    assert set(collect(tmp_path, "features:expand").modules) == {
        "features.py", "lazy.py", "tools/__init__.py", "tools/words.py", "tools/letters.py", "tools/deep/__init__.py",
        "tools/deep/er.py",
    }  # fmt: skip


def test_digest_changes_with_the_code_and_only_with_it(tmp_path):
    """The same code has the same digest wherever it stands; a changed character in a helper changes it."""
    for folder in ("a", "b"):
        _write(tmp_path / folder, features="import helper\ndef expand(batch): return batch\n", helper="x = 1\n")
    first = collect(tmp_path / "a", "features:expand")
    assert first.digest == collect(tmp_path / "b", "features:expand").digest
    assert first.digest.startswith("sha256:")
    _write(tmp_path / "b", helper="x = 2\n")
    assert first.digest != collect(tmp_path / "b", "features:expand").digest


def test_loaded_function_transforms_batches():
    """The function gets a batch and its result comes back in canonical form; an all-null column is text."""
    transform = _loaded(
        "def expand(batch):\n"
        "    numbers = pa.array([1.0] * len(batch), pa.float32())\n"
        "    return pa.RecordBatch.from_pydict({'n': numbers, 'none': pa.nulls(len(batch))})"
    )
    assert transform(ROWS).schema == pa.schema([("n", pa.float64()), ("none", pa.string())])


def test_function_never_sees_coded_columns():
    """Rows that travel coded reach the function plain, and its columns of text travel on as the rows came."""
    transform = _loaded(UPPER)
    plain, found = transform(ROWS), transform(coded_batch(ROWS))
    assert plain.schema.types == [pa.int64(), *[pa.string()] * 3]
    assert found.schema.types == [pa.int64(), *[CODED] * 3]
    assert plain_batch(found).equals(plain)
    encoding = _loaded(
        "def expand(batch): return batch.set_column(1, 'city', batch.column('city').dictionary_encode())"
    )
    assert encoding(ROWS).equals(ROWS)


def test_two_versions_live_side_by_side_without_disk_or_sys_modules(tmp_path):
    """Each loaded version uses its own helper, also when it imports late; nothing is left in sys.modules."""
    before = set(sys.modules)
    transforms = []
    for version in ("one", "two"):
        helper = f"from . import other\nversion = {version!r}\n"
        _write(
            tmp_path,
            features="import pyarrow as pa\n"
            "def expand(batch):\n    from pack.helper import version\n    import pack.helper\n"
            "    return pa.RecordBatch.from_pydict({'v': [version + pack.helper.version] * len(batch)})\n",
            pack__helper=helper,
            pack__other="",
            pack__init="",
        )
        transforms.append(load(collect(tmp_path, "features:expand")))
    for file in tmp_path.rglob("*.py"):
        file.unlink()
    assert [t(ROWS).column("v")[0].as_py() for t in transforms] == ["oneone", "twotwo"]
    assert {name for name in set(sys.modules) - before if not name.startswith(("pyarrow", "numpy"))} == set()


def test_dataclasses_work_in_stored_modules():
    """A module may hold dataclasses with deferred annotations, which look their module up while they are made."""
    source = "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\n"
    transform = load(TransformSource("f:g", {"f.py": source + "def g(batch):\n    return batch if A(1).x else None\n"}))
    assert transform(ROWS).equals(ROWS)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("def expand(batch):\n    x = {}\n    return x['age']", r"^features\.py, line 4: KeyError: 'age'\n"),
        ("def expand(batch): return batch.slice(1)", "returned 2 rows for 3"),
        ("def expand(batch): return batch.to_pylist()", "returned a list; expected a pyarrow.RecordBatch"),
        ("def expand(batch): return batch.select([])", "returned no columns"),
        ("def expand(batch): return batch.append_column('id', batch.column(0))", "more than one column 'id'"),
        ("def expand(batch): raise ValueError('two\\nlines')", r"line 2: ValueError: two lines\n"),
    ],
)
def test_broken_contract_is_one_line_without_traceback(body, message):
    """An error says where in the project's own code it came from, or what the function returned instead of a batch."""
    with pytest.raises(TransformError, match=message) as caught:
        _loaded(body)(ROWS)
    assert caught.value.exit_code == 2
    assert "\n" not in caught.value.message


def test_error_at_import_names_its_line():
    """A module whose top level fails is reported like a failing function."""
    with pytest.raises(TransformError, match=r"^features\.py, line 2: ZeroDivisionError: "):
        _loaded("1 / 0\ndef expand(batch): return batch")
    with pytest.raises(TransformError, match=r"No module named 'pack\.gone' was stored"):
        load(TransformSource("f:g", {"f.py": "import pack.gone", "pack/__init__.py": ""}))


@pytest.mark.parametrize(
    ("function", "source", "error", "message"),
    [
        ("features:expand", "def expand(batch:\n", TransformError, r"features\.py, line 1, column \d+: "),
        ("features:expand", "def other(batch): pass\n", TransformError, r"features\.py defines no 'expand'"),
        ("gone:expand", "", ConfigError, r"has no gone\.py"),
        ("features", "", ConfigError, "expected module:function"),
    ],
)
def test_source_that_cannot_serve_is_refused(tmp_path, function, source, error, message):
    """A missing module or function, or one that does not parse, is found without running anything."""
    _write(tmp_path, features=source)
    with pytest.raises(error, match=message):
        collect(tmp_path, function)


def test_row_wise_function_is_proven():
    """A function that looks at each row alone passes, with its target there or not."""
    prove_row_wise(load(TransformSource("f:expand", {"f.py": UPPER})), ROWS, "policy")
    prove_row_wise(load(TransformSource("f:expand", {"f.py": UPPER})), ROWS, None)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "    x = pa.array([len(batch)] * len(batch))",
            "gives '3' for column 'x' of row 1 in a batch, and '1' on its own",
        ),
        ("    x = pa.array(range(len(batch)))", "gives '1' for column 'x' of row 2 in a batch, and '0' on its own"),
        ("    state.append(1)\n    x = pa.array([len(state)] * len(batch))", "of row 1 in a batch"),
        ("    x = batch.column('policy')", "without the target column 'policy', .*KeyError"),
        (
            "    x = pa.array(['policy' in batch.schema.names] * len(batch))",
            "and 'false' without the target column 'policy'",
        ),
    ],
)
def test_function_that_looks_beyond_its_row_is_refused(body, message):
    """Totals, positions, state and the target are found out, and the message names row and column."""
    transform = _loaded(f"state = []\ndef expand(batch):\n{body}\n    return batch.append_column('x', x)\n")
    with pytest.raises(TransformError, match=message):
        prove_row_wise(transform, ROWS, "policy")


@pytest.mark.parametrize(
    "body", ["import sys\ndef expand(batch): sys.exit(0)", "raise SystemExit\ndef expand(batch): ..."]
)
def test_leaving_is_a_failure_of_the_function(body):
    """A function that calls sys.exit does not end the command as if all were well."""
    with pytest.raises(
        TransformError, match=r"features\.py, line \d: the transform function called sys\.exit"
    ) as caught:
        _loaded(body)(ROWS)
    assert caught.value.exit_code == 2


def test_interruption_stays_an_interruption():
    """Ctrl-C while the function runs is not taken for its failure."""
    with pytest.raises(KeyboardInterrupt):
        _loaded("def expand(batch): raise KeyboardInterrupt")(ROWS)


def test_prints_stay_off_standard_output(capsys):
    """What the function prints, when loaded and when called, cannot spoil a document on standard output."""
    _loaded("print('loaded')\ndef expand(batch):\n    print('called')\n    return batch")(ROWS)
    print("document")
    assert capsys.readouterr() == ("document\n", "loaded\ncalled\n")


def test_failing_function_is_reminded_of_its_contract():
    """Whoever wrote a bug is told what the function gets and what it must return."""
    with pytest.raises(TransformError) as caught:
        _loaded("def expand(batch): return batch['age']")(ROWS)
    assert "gets a pyarrow.RecordBatch and returns one, as many rows in the same order" in caught.value.hint
