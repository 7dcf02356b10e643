"""Imports go down only: the house's floors, walked by reading every file's imports."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
FLOORS = [
    ("types", "errors", "checks", "config"),
    ("generator", "operators", "objective", "metrics"),
    ("solvers", "restarts"),
    ("backends",),
    ("restore",),
    ("readers", "examples", "pretrained", "training", "network", "explore", "baselines"),
    ("modes", "verdict", "replay", "trials", "misfit"),
    ("posterior",),
    ("comparison", "figures", "sheet", "animation"),
    ("run",),
    ("problem", "bench"),
    ("record", "sweep", "evaluate", "trends"),
    ("uncertainty",),
    ("cli", "__main__"),
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def imports(path: Path) -> set[str]:
    """Dotted names that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(dotted: str) -> str | None:
    """The room of the package that a dotted name stands in."""
    parts = dotted.split(".")
    return parts[1] if parts[0] == "inpaint" and len(parts) > 1 else None


def test_imports_go_down_only() -> None:
    upward = []
    for path in sorted((ROOT / "inpaint").rglob("*.py")):
        here = path.relative_to(ROOT / "inpaint").parts[0].removesuffix(".py")
        if here == "__init__":
            continue
        for name in imports(path):
            there = room(name)
            if there in FLOOR and FLOOR[there] > FLOOR[here]:
                upward.append(f"{path.relative_to(ROOT)} imports {name}")
    assert upward == []


def test_every_room_has_a_floor() -> None:
    names = {p.name.removesuffix(".py") for p in (ROOT / "inpaint").iterdir()}
    rooms = {n for n in names if not n.startswith(("__", "_C", "py.typed"))}
    assert rooms <= set(FLOOR)


def test_only_the_cpp_backend_and_the_doctor_import_the_extension() -> None:
    users = {
        path.name
        for path in (ROOT / "inpaint").rglob("*.py")
        if any(name.startswith("inpaint._C") for name in imports(path))
    }
    assert users <= {"cpp.py", "doctor.py"}


def test_nothing_in_the_package_imports_streamlit() -> None:
    for path in (ROOT / "inpaint").rglob("*.py"):
        assert not any(name.split(".")[0] == "streamlit" for name in imports(path)), path


def test_no_tensor_arithmetic_in_the_dashboard() -> None:
    for path in (ROOT / "dashboard").rglob("*.py"):
        assert not any(name.split(".")[0] == "torch" for name in imports(path)), path


def test_files_read_in_one_sitting() -> None:
    sources = [
        path
        for folder in ("inpaint", "csrc", "dashboard", "tests", "benchmarks")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".cpp", ".h"}
    ]
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert long == {}
