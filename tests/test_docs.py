"""Every option, key, module and command that exists is documented, and nothing else."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import yaml

from pipeline.compose.schema import GROUPS, Config
from pipeline.config.training import OPTIMIZERS, SCHEDULES, Layer

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
REFERENCE = (ROOT / "docs/configuration.md").read_text("utf-8")
KINDS: dict[str, list[type]] = {
    "optimizer": list(OPTIMIZERS.values()),
    "schedule": list(SCHEDULES.values()),
}
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading of the reference."""
    section = REFERENCE.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def schema_keys(schema: Any, prefix: str = "") -> Iterator[str]:
    hints = get_type_hints(schema)
    for item in fields(schema):
        key = f"{prefix}{item.name}"
        if key in KINDS:
            for kind in KINDS[key]:
                yield from schema_keys(kind, f"{key}.")
        elif hints[item.name] == list[Layer]:
            yield key
            yield from schema_keys(Layer, f"{key}.")
        elif is_dataclass(hints[item.name]):
            yield from schema_keys(hints[item.name], f"{key}.")
        else:
            yield key


def test_the_reference_has_each_key_once_and_no_other() -> None:
    documented = [cells[0] for cells in rows("Keys")]
    assert len(documented) == len(set(documented))
    assert set(documented) == set(schema_keys(Config))


def test_the_reference_has_each_option_once_and_no_other() -> None:
    documented = [(cells[0], cells[1]) for cells in rows("Groups and options")]
    existing = [
        (group, path.stem) for group in GROUPS for path in (ROOT / "conf" / group).iterdir()
    ]
    assert sorted(documented) == sorted(existing)


def test_the_reference_states_the_choices_of_each_enumeration() -> None:
    values = {cells[0]: cells[1] for cells in rows("Keys")}
    hints = get_type_hints(Layer)
    for name in ("activation", "kernel_initializer", "bias_initializer"):
        assert values[f"model.layers.{name}"] == ", ".join(hints[name].__members__)


def test_the_readmes_tree_names_each_module_once_and_no_other() -> None:
    tree = README.split("## The tree")[1]
    named = re.findall(r"\b(\w+\.py)\b", tree)
    existing = [
        path.name for path in (ROOT / "pipeline").rglob("*.py") if path.name != "__init__.py"
    ]
    assert sorted(named) == sorted(existing)


def test_every_make_target_is_in_the_readme_or_the_guide_and_the_reverse() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    phony = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split()
    text = "".join(path.read_text("utf-8") for path in PAGES)
    mentioned = set(re.findall(r"(?:`|^)make ([\w-]+)", text, re.MULTILINE))
    assert mentioned == set(phony) - {"check-python"}


def test_every_command_module_is_documented_and_the_reverse() -> None:
    commands = {
        path.stem
        for path in (ROOT / "pipeline").glob("*.py")
        if '__name__ == "__main__"' in path.read_text("utf-8")
    }
    # The recorder is started by others, and by nobody at a terminal.
    assert commands == {"predict", "sweep", "track", "recorder"}
    assert set(re.findall(r"python -m pipeline\.(\w+)", README)) <= commands
    assert "python -m pipeline.predict" in README
    assert "python -m pipeline.track" in (ROOT / "Makefile").read_text("utf-8")
    assert "make track" in README


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    assert [link for link in targets if not (page.parent / link).exists()] == []
    paths = re.findall(r"`((?:conf|pipeline|docs|tests|requirements|data/raw)/[\w/.]*)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_examples_of_the_readme_are_valid() -> None:
    chosen, table = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    for group, option in yaml.safe_load(chosen)["conf"].items():
        assert (ROOT / "conf" / group / f"{option}.yaml").is_file()
    assert set(yaml.safe_load(table)["data"]) == {"path", "target"}
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    ast.parse(code)


def test_no_lock_names_a_package_index() -> None:
    for path in (ROOT / "requirements").iterdir():
        assert not re.search(r"https?://|--(extra-)?index-url", path.read_text("utf-8"))
