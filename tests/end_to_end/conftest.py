"""How often faults are repeated, and the table of what held, which `make test-faults` writes."""

import os
import re
from collections.abc import Callable

import pytest

from benchmarks.race import machine
from tests.clone import ROOT

TABLE = ROOT / "docs/faults.md"
HEAD = "| What holds | times | outcome | seconds |\n|---|---|---|---|\n"
REPEATS = "REPEATS"


@pytest.fixture
def repeats(record_property: Callable[[str, object], None]) -> int:
    """How often a test repeats its fault: once, unless the environment says how often."""
    times = int(os.environ.get(REPEATS, "1"))
    record_property("times", times)
    return times


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if REPEATS not in os.environ:
        return
    text = TABLE.read_text("utf-8")
    before, head, table = text.partition(HEAD)
    # Those of tests that were not run now stay, while there are such tests.
    texts = [path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    tests = {
        name.replace("_", " ")
        for name in re.findall(r"^def test_(\w+)", "".join(texts), re.MULTILINE)
    }
    lines = {line.removeprefix("| ").split(" | ")[0]: line for line in table.splitlines()}
    rows = {f"| {name}": line for name, line in lines.items() if name in tests}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            name = "| " + report.head_line.removeprefix("test_").replace("_", " ")
            times = dict(report.user_properties).get("times", 1)
            rows[name] = f"{name} | {times} | {outcome} | {report.duration:.0f} |"
    before = before[: before.rindex("Measured on")] + f"Measured on {machine()}.\n\n"
    TABLE.write_text(before + head + "".join(f"{rows[name]}\n" for name in sorted(rows)), "utf-8")
