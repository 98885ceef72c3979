"""The modules, what they import, and what dvc.yaml says of them."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
PACKAGE = "pipeline/__init__.py"
MODULES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "pipeline").rglob("*.py"))
CONFIG = "data/config.yaml"

# evaluate has its run recorded where this section says, and again when that changes.
# train records there too, but must not train anew for it.
READ_BY_THE_RECORDER = {"evaluate": {"tracking"}}
# What else recording reads changes no file: `conf` is in the run's name, and `data`
# tells which raw files to list; their rows come as data/prepared, a dependency.
READ_FOR_NAMES = {"conf", "data"}


def tree(module: str) -> ast.Module:
    return ast.parse((ROOT / module).read_text("utf-8"))


def statements(module: str, *, inner: bool = True) -> Iterator[str]:
    """The dotted names that a module imports; inner: those inside functions too."""
    nodes = list(ast.walk(tree(module))) if inner else tree(module).body
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import"
            assert node.module is not None
            yield from (f"{node.module}.{name.name}" for name in node.names)


def file_of(name: str) -> str | None:
    """The file in which a dotted name of the package is found."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        stem = "/".join(parts[:end])
        for file in (f"{stem}.py", f"{stem}/__init__.py"):
            if file in MODULES:
                return file
    return None


def imports(module: str, *, inner: bool = True) -> set[str]:
    """The files of the package that a module imports, the package itself aside."""
    found = {file_of(name) for name in statements(module, inner=inner)}
    # Importing a module of a package imports the package first.
    packages = {f"{Path(module).parent.as_posix()}/__init__.py"}
    packages |= {f"{Path(file).parent.as_posix()}/__init__.py" for file in found if file}
    return {file for file in found | packages if file} - {PACKAGE, module}


def reached(module: str, *, inner: bool = True) -> set[str]:
    """A module and all that it imports, and they import."""
    found: set[str] = set()
    waiting = {module}
    while waiting:
        found |= waiting
        waiting = {file for one in waiting for file in imports(one, inner=inner)} - found
    return found


def stage_file(stage: str) -> str:
    return f"pipeline/stages/{stage}.py"


def test_every_stage_is_the_command_of_its_file_and_every_file_a_stage() -> None:
    files = {stage_file(stage) for stage in STAGES} | {"pipeline/stages/__init__.py"}
    assert files == {module for module in MODULES if module.startswith("pipeline/stages/")}
    for stage, entry in STAGES.items():
        assert entry["cmd"] == f"python -m pipeline.stages.{stage}"


def test_the_package_itself_holds_nothing_but_a_docstring() -> None:
    # This is why it is among no stage's dependencies.
    assert [type(node) for node in tree(PACKAGE).body] == [ast.Expr]
    assert ast.get_docstring(tree(PACKAGE))


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_the_modules_that_it_imports_and_on_no_other(stage: str) -> None:
    code = {path for path in STAGES[stage]["deps"] if path.endswith(".py")}
    assert code == reached(stage_file(stage))


@pytest.mark.parametrize(
    ("library", "owner"),
    [
        ("mlflow", "pipeline/tracking.py"),
        ("keras", "pipeline/backend.py"),
        ("tensorflow", "pipeline/backend.py"),
        ("optuna", "pipeline/study.py"),
    ],
)
def test_a_heavy_library_is_imported_in_one_place(library: str, owner: str) -> None:
    users = {
        module
        for module in MODULES
        if library in {name.partition(".")[0] for name in statements(module)}
    }
    assert users == {owner}


def test_the_engine_knows_nothing_of_configuration_or_tracking() -> None:
    engine = reached("pipeline/fitting.py")
    assert "pipeline/epoch.py" in engine
    libraries = {name.partition(".")[0] for module in engine for name in statements(module)}
    assert not libraries & {"dvc", "hydra", "mlflow", "omegaconf", "optuna"}


@pytest.mark.parametrize("stage", ["configure", "prepare"])
def test_a_stage_that_needs_no_keras_does_not_reach_it(stage: str) -> None:
    assert "pipeline/backend.py" not in reached(stage_file(stage))


def test_predict_finds_mistakes_before_it_imports_a_heavy_library() -> None:
    heavy = {"pipeline/backend.py", "pipeline/tracking.py"}
    assert heavy <= reached("pipeline/predict.py")
    assert not heavy & reached("pipeline/predict.py", inner=False)


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {module: imports(module) for module in MODULES}
    # Raises CycleError, with the modules of the cycle, if there is one.
    order = list(TopologicalSorter(graph).static_order())
    assert sorted(order) == MODULES


def sections_read(module: str) -> set[str]:
    """Each SECTION of `config.SECTION` and `read_config().SECTION` in a module."""
    found = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Attribute):
            match node.value:
                case ast.Name(id="config") | ast.Call(func=ast.Name(id="read_config")):
                    found.add(node.attr)
    return found


@pytest.mark.parametrize("stage", STAGES)
def test_the_parameters_of_a_stage_are_the_sections_that_it_reads(stage: str) -> None:
    params = STAGES[stage].get("params", [])
    named = [name for item in params for name in item[CONFIG]]
    assert all(set(item) == {CONFIG} for item in params)
    assert len(named) == len(set(named))
    read = sections_read(stage_file(stage))
    assert set(named) == read | READ_BY_THE_RECORDER.get(stage, set())


def test_the_exceptions_are_still_needed() -> None:
    modules = ("runs", "recording", "identity")
    recorded = set().union(*(sections_read(f"pipeline/{module}.py") for module in modules))
    assert recorded == READ_FOR_NAMES.union(*READ_BY_THE_RECORDER.values())
