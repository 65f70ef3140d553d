"""The house stands as docs/architecture.md says."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "understudy"


def _order() -> list[str]:
    """Read the modules' order from the table of docs/architecture.md."""
    rows = re.findall(r"^\| (`[^|]+) \|", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE)
    return [name.strip("/") for row in rows for name in re.findall(r"`([a-z_]+)/?`", row)]


def _imports(file: Path) -> set[str]:
    """Name the modules of the package that a file imports, wherever in it the import stands."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("understudy."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.ImportFrom) and node.module == "understudy":
            found |= {
                alias.name
                for alias in node.names
                if (PACKAGE / alias.name).exists() or (PACKAGE / f"{alias.name}.py").exists()
            }
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("understudy.")}
    return found


def test_imports_run_one_way():
    """A module imports only from lines above its own in the architecture's table, so there can be no cycle."""
    order = _order()
    wrong = []
    for file in sorted(PACKAGE.rglob("*.py")):
        module = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if module in ("__init__", "__main__"):
            continue
        allowed = set(order[: order.index(module)]) | {module} if module in order else set()
        wrong += [f"{module} imports {name}" for name in sorted(_imports(file) - allowed)]
    assert not wrong


def test_every_module_is_in_the_architecture():
    """No module stands in the package that the architecture's table does not name."""
    modules = {
        p.name.removesuffix(".py") for p in PACKAGE.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()
    }
    assert modules - {"__init__", "__main__"} == set(_order())


def test_every_test_has_a_sentence():
    """Every test function carries a docstring that states the promise it holds."""
    mute = []
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        mute += [
            f"{file.name}:{node.lineno} {node.name}"
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
        ]
    assert not mute


def test_no_module_can_run_code_from_data():
    """Nothing in the package imports pickle, shelve or marshal: loading a model cannot run code."""
    for file in PACKAGE.rglob("*.py"):
        names = {a.name for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Import) for a in n.names}
        assert not names & {"pickle", "cloudpickle", "dill", "shelve", "marshal"}, file
