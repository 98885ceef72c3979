"""What the pages tell their reader: commands, what they print, and tables."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[1]


def read(page: str) -> str:
    """The text of a page, which is named by its path from the root."""
    return (ROOT / page).read_text("utf-8")


def blocks(language: str, page: str = "README.md") -> list[str]:
    """The fenced blocks of a language, in the page's order."""
    return re.findall(rf"^```{language}\n(.*?)^```", read(page), re.DOTALL | re.MULTILINE)


def commands(start: str, page: str = "README.md") -> list[list[str]]:
    """Those that begin with start, in the page's order, split as a shell would."""
    lines = [line for block in blocks("sh", page) for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith(start)]


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the table below a heading."""
    section = re.split(rf"^#+ {re.escape(heading)}\n", read(page), flags=re.MULTILINE)[1]
    section = re.split(r"^#+ ", section, flags=re.MULTILINE)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def metrics(heading: str) -> list[re.Pattern[str]]:
    """The documented names of MLflow's metrics, as patterns that match what {part} and its
    like stand for."""
    stand_for = {
        "part": "train|validation|test|in_sample",
        "curve": "loss|mae|validation_loss|validation_mae",
        "stage": "configure|prepare|baselines|train|evaluate",
        "score": "rmse|mae",
        "fold": r"\d+",
        "held_out": "validation|test",
        "baseline": "mean|ridge|gradient_boosting",
        "error": "rmse|mae",
        "end": "low|high",
    }
    names = [cells[0].strip("`") for cells in rows("docs/tracking.md", heading)]
    return [
        re.compile(re.sub(r"\{(\w+)\}", lambda found: f"(?:{stand_for[found[1]]})", name))
        for name in names
    ]


def shape(printed: str) -> list[str]:
    """Lines without what differs between machines and versions of the code: the digits of
    numbers, and the fingerprint in a run's name."""
    return [
        re.sub(r"-?\d+(\.\d+)?(e-?\d+)?", "#", re.sub(r"-[0-9a-f]{6}\b", "-#", line))
        for line in printed.splitlines()
        if line
    ]
