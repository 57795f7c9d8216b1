"""The floors of ARCHITECTURE.md: imports point down only, and some libraries have one importer."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "planning"

# A floor may import the floors below it; the domain packages share one floor and do not import one another.
FLOORS = [
    {"errors", "files", "language", "calendar", "cache"},
    {"config"},
    {"tables"},
    {"sources"},
    {"sample"},
    {"forecast"},
    {"targets", "budget", "deals", "customers", "people"},
    {"charts"},
    {"reports"},
    {"runs"},
    {"whatif"},
    {"cli"},
]
ONLY_IN = {
    "papermill": {"runs"},
    "nbclient": {"runs"},
    "nbconvert": {"runs"},
    "jinja2": {"reports"},
    "xlsxwriter": {"reports"},
    "matplotlib": {"charts"},
}
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}
BOTTOM = FLOORS[0]


def modules() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if path.parent != PACKAGE or path.stem in LEVEL]


def floor_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported(path: Path) -> list[tuple[int, str]]:
    """Returns (line, dotted module) of each import, `from planning import x` counted as planning.x."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            if base == "planning":
                found += [(node.lineno, f"planning.{alias.name}") for alias in node.names]
            else:
                found.append((node.lineno, base))
    return found


def wrong(path: Path) -> list[str]:
    """Returns one line for each import that points up, sideways, or at a library another floor owns."""
    here = floor_of(path)
    lines = []
    for line, module in imported(path):
        parts = module.split(".")
        place = f"{path.relative_to(ROOT)}:{line}: {here} imports {module}"
        if parts[0] in ONLY_IN and here not in ONLY_IN[parts[0]]:
            lines.append(f"{place}; only {', '.join(sorted(ONLY_IN[parts[0]]))} may")
        if parts[0] != "planning" or len(parts) == 1 or parts[1] not in LEVEL or parts[1] == here:
            continue
        same_floor = LEVEL[parts[1]] == LEVEL[here] and here not in BOTTOM
        if LEVEL[parts[1]] > LEVEL[here] or same_floor:
            lines.append(f"{place}, which is not below it")
    return lines


def test_every_package_has_a_floor():
    packages = {path.name for path in PACKAGE.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert packages <= set(LEVEL), f"no floor is named for {packages - set(LEVEL)}; add it here and in ARCHITECTURE.md"


def test_imports_point_down():
    lines = [line for path in modules() for line in wrong(path)]
    assert not lines, "\n".join(lines)


@pytest.mark.parametrize(
    ("floor", "statement"),
    [
        ("forecast", "from planning.targets import x"),
        ("deals", "import planning.budget"),
        ("targets", "import matplotlib.pyplot"),
        ("sources", "from planning import runs"),
    ],
)
def test_a_wrong_import_is_named_with_its_line(tmp_path, monkeypatch, floor, statement):
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path / "planning")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    path = tmp_path / "planning" / floor / "new.py"
    path.parent.mkdir(parents=True)
    path.write_text(f"import os\n{statement}\n")
    assert wrong(path)[0].startswith(f"planning/{floor}/new.py:2: {floor} imports ")
