"""Small parts and streams of rows."""

import sys

import numpy as np
import pandas as pd
import pytest

from pipeline.dataset.rows import Part, Stream

ROWS = 23


def table() -> pd.DataFrame:
    """ROWS rows as a split leaves them: their numbers have gaps and no order."""
    random = np.random.default_rng(1)
    columns = {
        "b": random.integers(0, 9, ROWS).astype(float),
        "a": np.where(np.arange(ROWS) % 6, random.normal(size=ROWS), np.nan),
        "town": pd.Series([None, "Bonn", "Köln", "Ulm"] * 6, dtype="str")[:ROWS].to_numpy(),
        "seen": pd.Timestamp(2024, 3, 1) + pd.to_timedelta(random.integers(0, 99, ROWS), "D"),
        "y": random.normal(size=ROWS),
    }
    rows = pd.DataFrame(columns, index=random.permutation(100)[:ROWS])
    return rows.astype({"town": "str", "seen": "datetime64[us]"})


def numbered(rows: int) -> Part:
    """A part in which each row has its own number."""
    numbers = np.arange(rows, dtype=np.float32)[:, np.newaxis]
    return Part(np.concatenate([numbers, -numbers], axis=1), 10 * numbers)


def from_blocks(part: Part, size: int) -> Stream:
    """The same rows as a stream of blocks of this size."""

    def read(block: int) -> Part:
        chosen = slice(block * size, (block + 1) * size)
        return Part(part.x[chosen], part.y[chosen])

    return Stream(len(part), size, read)


def small_windows(patch: pytest.MonkeyPatch, rows: int, blocks: int) -> None:
    """Makes blocks of this number of rows, and windows of this number of blocks."""
    patch.setattr("pipeline.dataset.rows.MAX_BLOCK_ROWS", rows)
    for name in ("pipeline.training.shuffle", "pipeline.training.feed"):
        if name in sys.modules:  # one that the test does not use needs no import, of TensorFlow
            patch.setattr(f"{name}.WINDOW_BLOCKS", blocks)
