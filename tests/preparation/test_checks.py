"""What is found in a table before training."""

import numpy as np
import pandas as pd

from tests.preparation.found import ROWS, found_in, noise, table_of, texts, thirds


def test_an_ordinary_table_has_no_findings() -> None:
    rng = np.random.default_rng(1)
    table = table_of(
        number=noise(1),
        dry=rng.poisson(0.3, ROWS) * 1.0,
        saturated=noise(5).clip(-1.5, 1.5),
        off=np.where(rng.random(ROWS) < 0.3, 0, rng.normal(100, 3, ROWS)),
        skewed=np.ceil(rng.lognormal(2, 1.5, ROWS)),
        rounded=noise(6).round(),
        price=rng.integers(50_000, 900_000, ROWS) * 1.0,
        whole=rng.integers(40, 400, ROWS) * 1.0,
        near=noise(0) + noise(2) / 20,
        gaps=noise(3).where(noise(4) > 0),
        rarely=texts(["yes"] + ["no"] * (ROWS - 1)),
        town=texts(rng.integers(0, 6, ROWS).tolist()),
        when=pd.Series(pd.date_range("2020-01-01", periods=ROWS)).astype("datetime64[us]"),
    )
    assert found_in(thirds(table)) == []
    assert found_in(table) == []


def test_only_the_training_part_judges_a_column() -> None:
    train = table_of(a=noise(1), b=texts(range(ROWS)), c=noise(2), d=noise(0))
    before = found_in(train)
    held_out = table_of(a=noise(9), b=texts(["x"] * ROWS), c=noise(8), d=noise(7), y=noise(8))
    parts = {
        "train": train,
        "validation": train.iloc[:0],
        "test": held_out.set_axis(train.index + ROWS),
    }
    expected = ["identifier:b", "rare_categories:b", "target_copy:d"]
    assert [one.accept for one in before] == expected
    assert found_in(parts) == before
