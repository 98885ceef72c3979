"""What a finding's message says to do makes the finding go away."""

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from pipeline.config.data import Data
from pipeline.config.section import typed
from pipeline.preparation.preparation import prepare
from pipeline.runtime.errors import UserError

ROWS = 120
RNG = np.random.default_rng(0)
SHOPS = RNG.permutation(np.arange(ROWS) % 60)


def table() -> pd.DataFrame:
    area, staff = RNG.uniform(20, 90, ROWS).round(1), RNG.integers(1, 9, ROWS)
    y = (area + 3 * staff + RNG.normal(0, 9, ROWS)).round(2)
    town = RNG.choice(["Bonn", "Köln"], ROWS)
    return pd.DataFrame({"town": town, "area": area, "staff": staff, "y": y})


def lines(folder: Path, rows: pd.DataFrame, *overrides: str) -> list[str]:
    """The errors, or else the warnings, of preparing a table with the default split."""
    rows.to_csv(folder / "t.csv", index=False)
    split = {"validation": 0.2, "test": 0.2}
    settings = OmegaConf.create({"path": str(folder / "t.csv"), "target": "y", "split": split})
    for one in OverridesParser.create().parse_overrides(list(overrides)):
        OmegaConf.update(settings, one.key_or_group.removeprefix("data."), one.value())
    plain: Any = OmegaConf.to_container(settings)
    try:
        return prepare(typed(Data, plain), today=dt.date(2026, 1, 1)).warnings
    except UserError as error:
        return str(error).splitlines()


def with_last_row(**cells: Any) -> pd.DataFrame:
    return pd.concat([table(), pd.DataFrame([cells])], ignore_index=True)


def with_first_row_of_totals(rows: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([rows.sum().to_frame().T.assign(town="Total"), rows])


def with_codes(name: str, code: float) -> "pd.Series[float]":
    return table()[name].where(np.arange(ROWS) > 9, code)


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("totals_row", lambda: with_last_row(town="Total", area=9999, staff=1, y=5)),
        ("totals_row", lambda: with_first_row_of_totals(table())),
        ("header_row", lambda: pd.concat([pd.DataFrame([["1", 2, 3, 4]], columns=list(table())),
                                          table()])),
        ("shared_group", None),
        ("target_missing_code", lambda: table().assign(y=with_codes("y", -200))),
        ("target_copy", lambda: table().assign(cents=lambda t: t["y"] * 100)),
        ("target_sum", lambda: table().assign(rest=lambda t: t["y"] - t["area"])),
        ("target_near_sum", lambda: table().assign(rest=lambda t: (t["y"] - t["area"]).round())),
        ("identifier", lambda: table().assign(ID=RNG.permutation(ROWS * 50)[:ROWS])),
        ("constant", lambda: table().assign(unit="m")),
        ("missing_code", lambda: table().assign(area=with_codes("area", -1))),
        ("rare_categories", lambda: table().assign(shop=[f"shop {one}" for one in SHOPS])),
    ],
)  # fmt: skip
def test_the_remedy_works_and_so_does_accepting(
    kind: str, make: Callable[[], pd.DataFrame] | None, tmp_path: Path
) -> None:
    overrides: list[str] = []
    rows = table() if make is None else make()
    if make is None:
        rows, overrides = rows.assign(house=np.arange(ROWS) % 30), ["data.group=house"]
    accept = rf"data\.lint\.accept=\[\'?{kind}\b"

    def found(*more: str) -> list[str]:
        return [
            line for line in lines(tmp_path, rows, *overrides, *more) if re.search(accept, line)
        ]

    (line,) = found()
    assert line.startswith(str(tmp_path / "t.csv"))
    settings = re.findall(r"data\.[\w.]+=(?:\[.*?\]|[^\s,;]+)", line)
    remedy = [one for one in settings if "lint.accept" not in one]
    left_out = "so it is left out" in line
    assert remedy or left_out
    assert left_out or found(*remedy) == []
    assert found(*(one for one in settings if "lint.accept" in one)) == []
