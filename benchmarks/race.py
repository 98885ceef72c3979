"""Timing in alternation: A B C A B C …, so that all see the same load on the machine."""

import platform
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import psutil

Timed = Callable[[], float]


def race(runners: dict[str, Timed], rounds: int = 5) -> dict[str, list[float]]:
    """The seconds that each runner reports, round by round."""
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(rounds):
        for name, runner in runners.items():
            seconds[name].append(runner())
    return seconds


def ratio(ours: list[float], theirs: list[float]) -> float:
    """How many times as long theirs took: the median of the rounds' ratios."""
    return median(b / a for a, b in zip(ours, theirs, strict=True))


def clocked(work: Callable[[], object], count: int = 1) -> float:
    """Seconds for one of the count pieces of work."""
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) / count


class Peer:
    """A library in the peers' environment, which waits for its turn."""

    def __init__(self, python: Path, name: str) -> None:
        self._process = subprocess.Popen(
            [python, Path(__file__).with_name("peers.py"), name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        if self._process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"{name} did not start; is it in {python}'s environment?")

    def epoch(self, epochs: int) -> float:
        """Seconds for one of so many epochs."""
        self._process.stdin.write(f"{epochs}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def machine() -> str:
    """What it was measured on."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{psutil.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB,"
        f" {platform.system()}, Python {platform.python_version()}"
    )


def show(title: str, header: list[str], rows: list[list[object]]) -> None:
    """A Markdown table."""
    print(f"\n### {title}\n")
    print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for row in rows:
        cells = (f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row)
        print(f"| {' | '.join(cells)} |", flush=True)
