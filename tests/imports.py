"""What the modules of the pipeline and of the tests import, read from their source."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("pipeline", "tests")
    for path in (ROOT / folder).rglob("*.py")
)
PIPELINE = [module for module in MODULES if module.startswith("pipeline/")]


@cache
def tree(module: str) -> ast.Module:
    """The syntax tree of a module, which is named by its path from the root."""
    return ast.parse((ROOT / module).read_text("utf-8"))


@cache
def statements(module: str, *, inner: bool = True) -> list[str]:
    """The dotted names that a module imports; inner: those inside functions too, and those
    that only a type checker follows."""
    found: list[str] = []
    for node in ast.walk(tree(module)) if inner else _executed(tree(module)):
        if isinstance(node, ast.Import):
            found += (name.name for name in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import"
            assert node.module is not None
            found += (f"{node.module}.{name.name}" for name in node.names)
    return found


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that are executed when a module is imported."""
    yield node
    checked = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    if not checked and not isinstance(node, ast.FunctionDef):
        for child in ast.iter_child_nodes(node):
            yield from _executed(child)


def file_of(name: str) -> str | None:
    """The file in which a dotted name is found, if it is one of MODULES."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        stem = "/".join(parts[:end])
        for file in (f"{stem}.py", f"{stem}/__init__.py"):
            if file in MODULES:
                return file
    return None


@cache
def imports(module: str, *, inner: bool = True) -> set[str]:
    """The files of MODULES that a module imports."""
    found = {file_of(name) for name in statements(module, inner=inner)}
    return {file for file in found if file} - {module}


def reached(module: str, *, inner: bool = True, beyond: str = "") -> set[str]:
    """A module and all that it imports, and they import; files below beyond are left out."""
    found: set[str] = set()
    waiting = {module}
    while waiting:
        found |= waiting
        waiting = {file for one in waiting for file in imports(one, inner=inner)} - found
        if beyond:
            waiting = {file for file in waiting if not file.startswith(beyond)}
    return found


def libraries(module: str, *, inner: bool = True) -> set[str]:
    """The top-level packages that a module imports."""
    return {name.partition(".")[0] for name in statements(module, inner=inner)}
