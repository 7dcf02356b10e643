"""Imports go down only: every file's imports are walked, wherever in the file they stand."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parent.parent
CODE = ("inpaint", "benchmarks", "dashboard")
FRONT_DOOR = "inpaint"
"""Imports its parts on demand, and none of them imports from it."""

ABOVE = {
    "cli": {
        "bench",
        "studies",
        "training",
        "network",
        "classifier",
        "plots",
        "files",
        "posterior",
        "search",
    },
    "studies": {"posterior", "search", "files", "classifier"},
    "posterior": {"search", "generators", "operators"},
    "plots": {"search"},
    "search": {"generators", "operators"},
    "training": {"generators"},
    "views": {"parts", "work", "forms", "components"},
    "parts": {"work", "forms", "components"},
    "work": {"forms", "components"},
    "forms": {"components"},
}
"""Rooms, and those that they must never be imported by."""


def module_of(path: Path) -> str:
    """The dotted name by which a file is imported; the dashboard's folder is on the path itself."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[1:] if parts[0] == "dashboard" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_of(path): path for room in CODE for path in sorted((ROOT / room).rglob("*.py"))}


def named(path: Path) -> set[str]:
    """Dotted names that a file imports: in functions, under conditions, by `import_module`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            # Parts of a package alone are not the package itself.
            found |= names if names <= FILES.keys() else names | {node.module}
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name == "import_module" and isinstance(node.args[0], ast.Constant):
                found.add(str(node.args[0].value))
    return found


def imports(module: str) -> set[str]:
    """The files that a file imports, and the packages that must be imported before them."""
    found = set()
    for name in named(FILES[module]):
        if name not in FILES:
            continue
        found.add(name)
        parts = name.split(".")
        packages = {".".join(parts[:count]) for count in range(1, len(parts))}
        # A file's own packages are being imported already.
        found |= {p for p in packages if p in FILES and not f"{module}.".startswith(f"{p}.")}
    return found - {module, FRONT_DOOR}


def room(module: str) -> str:
    """The room that a file of the package or of the dashboard stands in."""
    parts = module.split(".")
    return parts[parts[0] == "inpaint" and len(parts) > 1]


def test_no_imports_go_in_circles() -> None:
    graph = {module: imports(module) for module in FILES if module != FRONT_DOOR}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(f"a circle: {' <- '.join(error.args[1])}") from None


def test_rooms_stand_above_one_another() -> None:
    upward = [
        f"{module} imports {name}"
        for module in FILES
        for name in imports(module)
        if room(module) in ABOVE.get(room(name), set())
    ]
    assert upward == []


def test_nothing_in_the_package_imports_from_the_front_door() -> None:
    for module, path in FILES.items():
        if not module.startswith("inpaint.") or module == "inpaint.__main__":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == FRONT_DOOR:
                assert all(f"inpaint.{alias.name}" in FILES for alias in node.names), module


def test_only_the_cpp_backend_imports_the_extension() -> None:
    users = {module for module, path in FILES.items() if "inpaint._C" in named(path)}
    assert users == {"inpaint.search.backends.cpp"}


def test_nothing_in_the_package_imports_streamlit_or_the_benchmarks() -> None:
    for module, path in FILES.items():
        if module.startswith("inpaint"):
            roots = {name.split(".")[0] for name in named(path)}
            assert not roots & {"streamlit", "benchmarks", "dashboard"}, module


def test_no_tensor_arithmetic_in_the_dashboard() -> None:
    for path in (ROOT / "dashboard").rglob("*.py"):
        assert not any(name.split(".")[0] == "torch" for name in named(path)), path


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
