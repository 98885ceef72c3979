"""The packages, what they import, and what dvc.yaml says of them."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.imports import PIPELINE, ROOT, imports, libraries, reached, statements, tree

STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
PACKAGES = sorted({Path(module).parts[1] for module in PIPELINE if module.count("/") == 2})
CONFIG = "data/config.yaml"
# What records a stage changes nothing of its result, so that no stage depends on it.
RECORDING = "pipeline/tracking/"
# evaluate has its run recorded where this section says, and again when that changes.
# train records there too, but must not train anew for it.
READ_BY_THE_RECORDER = {"evaluate": {"tracking"}}


def package_of(module: str) -> str:
    """The package of a module, or the name of one that is in none."""
    parts = Path(module).parts
    return parts[1] if len(parts) > 2 else Path(module).stem


def stage_file(stage: str) -> str:
    return f"pipeline/stages/{stage}.py"


def allowed(package: str) -> set[str]:
    """The packages that a package may import, as its docstring says."""
    stated = ast.get_docstring(tree(f"pipeline/{package}/__init__.py"))
    assert stated is not None
    listed = re.search(r"May import ([\w, ]+)\.$", " ".join(stated.split()))
    assert listed, f"{package}: its docstring does not end in what it may import"
    return set() if listed[1] == "nothing of the pipeline" else set(listed[1].split(", "))


def arrows() -> dict[str, set[str]]:
    """Which other packages, or modules in none, each of them really imports."""
    found: dict[str, set[str]] = {package_of(module): set() for module in PIPELINE}
    for module in PIPELINE:
        found[package_of(module)] |= {package_of(one) for one in imports(module)}
    del found["__init__"]
    return {package: others - {package, "__init__"} for package, others in found.items()}


def drawn() -> str:
    """The packages that import each other as a Mermaid graph, without the arrows that follow
    from others."""
    graph = arrows()

    def beyond(package: str) -> set[str]:
        direct = graph[package]
        return direct | {far for one in direct for far in beyond(one)}

    lines = ["graph LR"]
    for package, others in sorted(graph.items()):
        implied = {far for one in others for far in beyond(one)}
        lines += [f"  {other} --> {package}" for other in sorted(others - implied)]
    return "\n".join(lines)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_what_its_docstring_allows_and_all_of_it(package: str) -> None:
    assert arrows()[package] == allowed(package)


def test_imports_go_one_way() -> None:
    # Raises CycleError, with the packages or modules of the cycle, if there is one.
    order = list(TopologicalSorter(arrows()).static_order())
    assert {*PACKAGES, "api", "predict", "register", "report", "serve", "track"} == set(order)
    modules = TopologicalSorter({module: imports(module) for module in PIPELINE}).static_order()
    assert sorted(modules) == PIPELINE


def test_the_drawing_of_the_packages_is_that_of_their_imports() -> None:
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    assert re.findall(r"```mermaid\n(.*?)\n```", text, re.DOTALL) == [drawn()]


def test_a_package_itself_holds_nothing_but_a_docstring() -> None:
    # To import one of its modules costs no other. That of the pipeline has two functions, which it
    # imports when they are used; see test_api.
    for module in PIPELINE:
        if module.endswith("__init__.py") and module != "pipeline/__init__.py":
            assert [type(node) for node in tree(module).body] == [ast.Expr], module
            assert ast.get_docstring(tree(module))


def test_every_stage_is_the_command_of_its_file_and_every_file_a_stage() -> None:
    files = {stage_file(stage) for stage in STAGES} | {"pipeline/stages/__init__.py"}
    assert files == {module for module in PIPELINE if module.startswith("pipeline/stages/")}
    for stage, entry in STAGES.items():
        assert entry["cmd"] == f"python -m pipeline.stages.{stage}"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_thin(stage: str) -> None:
    (main,) = [node for node in tree(stage_file(stage)).body if isinstance(node, ast.FunctionDef)]
    assert main.name == "main"
    assert main.end_lineno is not None
    assert main.end_lineno - main.lineno < 30
    assert len((ROOT / stage_file(stage)).read_text("utf-8").splitlines()) < 50


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_the_code_that_it_reaches_and_on_no_other(stage: str) -> None:
    code = [path for path in STAGES[stage]["deps"] if path.startswith("pipeline/")]
    used = {
        file
        for file in reached(stage_file(stage), beyond=RECORDING)
        if not file.endswith("__init__.py")
    }

    def covers(path: str, file: str) -> bool:
        return file == path or file.startswith(f"{path}/")

    assert [file for file in sorted(used) if not any(covers(path, file) for path in code)] == []
    assert [path for path in code if not any(covers(path, file) for file in used)] == []
    assert not any(covers(path, RECORDING) for path in code)


@pytest.mark.parametrize(
    ("library", "owner"),
    [
        ("mlflow", "pipeline/tracking/backend.py"),
        ("keras", "pipeline/network/backend.py"),
        ("tensorflow", "pipeline/network/backend.py"),
    ],
)
def test_a_heavy_library_is_imported_in_one_place(library: str, owner: str) -> None:
    users = {module for module in PIPELINE if library in libraries(module)}
    assert users == {owner}


@pytest.mark.parametrize(
    ("library", "package"),
    [("optuna", "sweep"), ("mlflow", "tracking"), ("jinja2", "pages")],
)
def test_a_library_belongs_to_one_package(library: str, package: str) -> None:
    users = {package_of(module) for module in PIPELINE if library in libraries(module)}
    assert users == {package}


def test_the_engine_knows_nothing_of_configuration_or_tracking() -> None:
    engine = reached("pipeline/training/fitting.py")
    assert "pipeline/training/epoch.py" in engine
    used = {library for module in engine for library in libraries(module)}
    assert not used & {"dvc", "hydra", "mlflow", "omegaconf", "optuna"}


@pytest.mark.parametrize("stage", ["configure", "prepare"])
def test_a_stage_that_needs_no_keras_does_not_reach_it(stage: str) -> None:
    assert "pipeline/network/backend.py" not in reached(stage_file(stage), beyond=RECORDING)


def test_predict_finds_mistakes_before_it_imports_a_heavy_library() -> None:
    heavy = {"pipeline/network/backend.py", "pipeline/tracking/backend.py"}
    assert heavy <= reached("pipeline/predict.py")
    assert not heavy & reached("pipeline/predict.py", inner=False)


def sections_read(stage: str) -> set[str]:
    """The first argument of each read_section in a stage's file, and where that asks for a
    training's sections together, in the module that has those."""
    modules = [stage_file(stage)]
    if "pipeline.config.training.read_training_config" in statements(stage_file(stage)):
        modules.append("pipeline/config/training.py")
    return {
        node.args[0].value
        for module in modules
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "read_section"
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }


@pytest.mark.parametrize("stage", STAGES)
def test_the_parameters_of_a_stage_are_the_sections_that_it_reads(stage: str) -> None:
    params = STAGES[stage].get("params", [])
    named = [name for item in params for name in item[CONFIG]]
    assert all(set(item) == {CONFIG} for item in params)
    assert len(named) == len(set(named))
    assert set(named) == sections_read(stage) | READ_BY_THE_RECORDER.get(stage, set())
