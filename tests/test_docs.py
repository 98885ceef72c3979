"""Every option, key, module and command that exists is documented, and nothing else."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import yaml

from pipeline.compose.explanation import RENAMED
from pipeline.compose.schema import GROUPS, VARIANTS, Config
from pipeline.config.training import Layer
from tests.imports import PIPELINE
from tests.readme import ROOT, blocks, read, rows

REFERENCE = "docs/configuration.md"
ARCHITECTURE = "docs/architecture.md"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def schema_keys(schema: Any, prefix: str = "") -> Iterator[str]:
    hints = get_type_hints(schema)
    for item in fields(schema):
        key = f"{prefix}{item.name}"
        if key in VARIANTS:
            for variant in VARIANTS[key].values():
                yield from schema_keys(variant, f"{key}.")
        elif hints[item.name] == list[Layer]:
            yield key
            yield from schema_keys(Layer, f"{key}.")
        elif is_dataclass(hints[item.name]):
            yield from schema_keys(hints[item.name], f"{key}.")
        else:
            yield key


def test_the_reference_has_each_key_once_and_no_other() -> None:
    documented = [cells[0] for cells in rows(REFERENCE, "Keys")]
    assert len(documented) == len(set(documented))
    assert set(documented) == set(schema_keys(Config))


def test_the_reference_has_each_option_once_and_no_other() -> None:
    documented = [(cells[0], cells[1]) for cells in rows(REFERENCE, "Groups and options")]
    existing = [
        (group, path.stem) for group in GROUPS for path in (ROOT / "conf" / group).iterdir()
    ]
    assert sorted(documented) == sorted(existing)


def test_the_reference_states_the_choices_of_each_enumeration() -> None:
    values = {cells[0]: cells[1] for cells in rows(REFERENCE, "Keys")}
    hints = get_type_hints(Layer)
    for name in ("activation", "kernel_initializer", "bias_initializer"):
        assert values[f"model.layers.{name}"] == ", ".join(hints[name].__members__)


def test_the_architecture_has_each_module_once_and_no_other() -> None:
    folders = re.findall(r"^### `(pipeline/.*)`$", read(ARCHITECTURE), re.MULTILINE)
    documented = [
        folder + cells[0].strip("`")
        for folder in folders
        for cells in rows(ARCHITECTURE, f"`{folder}`")
    ]
    existing = [module for module in PIPELINE if not module.endswith("__init__.py")]
    assert sorted(documented) == sorted(existing)


def test_the_architecture_states_the_code_that_each_stage_depends_on() -> None:
    documented = {
        stage: [f"pipeline/{path}" for path in code.split(", ")]
        for stage, code in rows(ARCHITECTURE, "Code that a stage depends on")
    }
    stages = yaml.safe_load(read("dvc.yaml"))["stages"]
    assert documented == {
        stage: [
            path
            for path in entry["deps"]
            if path.startswith("pipeline/") and path != f"pipeline/stages/{stage}.py"
        ]
        for stage, entry in stages.items()
    }


def test_every_make_target_is_documented_and_the_reverse() -> None:
    phony = re.findall(r"^\.PHONY: (.*)$", read("Makefile"), re.MULTILINE)[0].split()
    text = "".join(path.read_text("utf-8") for path in PAGES)
    mentioned = set(re.findall(r"(?:`|^)make ([\w-]+)", text, re.MULTILINE))
    assert mentioned == set(phony) - {"check-python"}


def test_every_command_is_documented_and_the_reverse() -> None:
    started = {
        module.removesuffix(".py").removesuffix("/__main__").replace("/", ".")
        for module in PIPELINE
        if module.endswith("__main__.py") or '__name__ == "__main__"' in read(module)
    }
    text = "".join(path.read_text("utf-8") for path in PAGES)
    named = set(re.findall(r"python -m (pipeline[\w.]*\w)", text + read("Makefile")))
    # DVC starts the other stages, and those that train or evaluate start the recorder.
    stages = ("prepare", "baselines", "train", "evaluate")
    others = {f"pipeline.stages.{stage}" for stage in stages}
    assert named == started - others - {"pipeline.tracking.recorder"}


def test_every_option_of_a_command_is_documented() -> None:
    options = {
        option
        for module in PIPELINE
        for option in re.findall(r'add_argument\(\s*"(--[\w-]+)"', read(module))
    }
    text = "".join(path.read_text("utf-8") for path in PAGES)
    assert {"--model", "--trial"} <= options
    assert [option for option in sorted(options) if f"{option}`" not in text] == []


def test_every_renamed_key_is_in_the_changelog() -> None:
    renamed = {
        old: new
        for before, now in rows("CHANGELOG.md", "Unreleased")
        for old, new in zip(before.split(", "), now.split(", "), strict=False)
    }
    for old, new in RENAMED.items():
        assert renamed[f"`{old}`"] == f"`{new}`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    targets = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", text)
    assert [link for link in targets if not (page.parent / link).exists()] == []
    paths = re.findall(r"`((?:conf|pipeline|docs|tests|requirements|data/raw)/[\w/.]*)`", text)
    # An example of one's own.
    missing = [path for path in paths if not (ROOT / path).exists()]
    assert [path for path in missing if path != "data/raw/cars.csv"] == []


@pytest.mark.long
def test_the_site_is_built_without_a_dead_link_and_loads_nothing(tmp_path: Path) -> None:
    site = tmp_path / "site"
    (options,) = re.findall(r"sphinx-build (.*) docs site$", read("Makefile"), re.MULTILINE)
    command = [sys.executable, "-m", "sphinx", *options.split(), "docs", site]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    pages = {page.stem: page.read_text("utf-8") for page in site.glob("*.html")}
    assert {path.stem for path in ROOT.glob("docs/*.md")} <= set(pages)
    for page in pages.values():
        assert not re.search(r"<(?:script|img|link)\b[^>]*\b(?:src|href)=\"(?:https?:)?//", page)
    assert 'id="pipeline.evaluation.predictor.Predictor.predict"' in pages["api"]
    assert "Predictor" in (site / "searchindex.js").read_text("utf-8")


def test_examples_of_the_readme_are_valid() -> None:
    table, chosen = blocks("yaml")
    for group, option in yaml.safe_load(chosen)["conf"].items():
        assert (ROOT / "conf" / group / f"{option}.yaml").is_file()
    assert set(yaml.safe_load(table)["data"]) == {"path", "target"}
    (code,) = blocks("python", "docs/predict.md")
    ast.parse(code)


def test_the_readme_fits_on_three_screens() -> None:
    assert len(read("README.md").splitlines()) < 150


def test_no_lock_names_a_package_index() -> None:
    for path in (ROOT / "requirements").iterdir():
        assert not re.search(r"https?://|--(extra-)?index-url", path.read_text("utf-8"))


def test_the_hooks_and_ci_run_what_make_test_runs() -> None:
    (repository,) = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    assert repository["repo"] == "local"
    checks = [hook["entry"].removeprefix(".venv/bin/") for hook in repository["hooks"]]
    recipe = read("Makefile").split("\ntest: ")[1].split("\n\n")[0]
    assert [check for check in checks if f"$(RUN) {check}" not in recipe] == []
    steps = yaml.safe_load(read(".github/workflows/ci.yml"))["jobs"]["ci"]["steps"]
    assert steps[-1] == {"run": ".ci/run"}
