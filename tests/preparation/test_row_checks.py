"""Rows that are no observations."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.preparation.row_checks import header_row, totals_row
from tests.locations import locate

RNG = np.random.default_rng(0)
ROWS = 30


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "shop": pd.Series(["Bonn", "Köln", "Trier"] * (ROWS // 3), dtype="str"),
            "area": RNG.uniform(20, 90, ROWS).round(2),
            "staff": RNG.integers(0, 9, ROWS) * 1.0,
            "y": RNG.normal(5, 2, ROWS).round(2),
        }
    )


def found(last: dict[str, Any], rows: pd.DataFrame | None = None) -> list[str]:
    rows = table() if rows is None else rows
    whole = pd.concat([rows, pd.DataFrame([last])], ignore_index=True)
    return [one.evidence for one in totals_row(whole, [len(whole)], locate)]


@pytest.mark.parametrize(
    ("last", "evidence"),
    [
        ({"shop": "Total", "y": 1.0}, "'Total' in column 'shop'"),
        ({"shop": "GESAMT:", "y": 1.0}, "'GESAMT' in column 'shop'"),
        ({"shop": "Grand Total", "y": 1.0}, "'Grand Total' in column 'shop'"),
        ({"shop": "Total général", "y": 1.0}, "'Total général' in column 'shop'"),
        ({"shop": "Totale", "y": 1.0}, "'Totale' in column 'shop'"),
        ({"shop": "Итого:", "y": 1.0}, "'Итого' in column 'shop'"),
    ],
)
def test_a_row_is_of_totals_if_it_says_so(last: dict[str, Any], evidence: str) -> None:
    assert found(last) == [f"table.csv, row 31 below the header: {evidence}"]


def test_a_row_of_sums_is_found_whatever_it_says() -> None:
    rows = table()
    sums = rows[["area", "staff", "y"]].sum()
    line = (
        f"table.csv, row 31 below the header: {sums['area']:g} in column 'area' is the sum of"
        " the rows above"
    )
    for last in ({}, {"shop": "Bonn"}, {"shop": "alle"}):
        assert found(last | dict(sums), rows) == [line]
    assert found({"area": sums["area"], "y": 3.0}, rows) == [line]
    assert found(dict(sums.round(1)), rows) == [
        line.replace(f"{sums['area']:g}", f"{sums['area'].round(1):g}")
    ]
    labelled = found({"shop": "Sum"} | dict(sums), rows)
    assert labelled == [line.replace("header: ", "header: 'Sum' in column 'shop' and ")]


def test_a_row_of_means_is_found() -> None:
    rows = table()
    means = rows[["area", "staff", "y"]].mean().round(2)
    assert found(dict(means), rows)[0].endswith("in column 'area' is the mean of the rows above")
    assert found({"shop": "Average", "y": means["y"]}, rows) != []


@pytest.mark.parametrize(
    "last",
    [
        {"shop": "Bonn", "area": 30.0, "staff": 3.0, "y": 5.0},
        {"shop": "Totnes", "y": 5.0},
        {"shop": "Total Wine", "y": 5.0},
        {"shop": "mean", "y": 9.0},
        {"shop": None, "y": 5.0},
    ],
)
def test_another_last_row_is_none(last: dict[str, Any]) -> None:
    assert found(last) == []


def test_a_label_that_other_rows_have_too_is_a_category() -> None:
    rows = table().assign(shop=["total", "part", "part"] * (ROWS // 3))
    assert found({"shop": "total", "y": 5.0}, rows) == []


def test_few_numbers_may_add_up_by_chance() -> None:
    few = pd.DataFrame({"a": [1.0, 2.0, 3.0], "y": [1.0, 5.0, 4.0]})
    assert found({"a": 6.0, "y": 3.0}, few) == []
    doubled = pd.DataFrame({"a": 2.0 ** np.arange(12), "y": np.arange(12.0)})
    assert found({"a": 2.0**12, "y": 12.0}, doubled) == []


def test_each_file_may_end_in_totals() -> None:
    rows = table()
    rows.loc[[9, 29], "shop"] = "Total"
    evidence = [one.evidence for one in totals_row(rows, [10, 10, 10], locate)]
    assert [text.partition(":")[0] for text in evidence] == [
        "table.csv, row 10 below the header",
        "table.csv, row 30 below the header",
    ]


def test_rows_of_subtotals_are_found() -> None:
    numbers = ["area", "staff", "y"]
    parts = [rows for _, rows in table().groupby("shop")]
    sums = [pd.DataFrame([{"shop": "Subtotal", **rows[numbers].sum()}]) for rows in parts]
    pairs = [one for pair in zip(parts, sums, strict=True) for one in pair]
    rows = pd.concat(pairs, ignore_index=True)

    (one,) = totals_row(rows, [len(rows)], locate)
    assert one.evidence == (
        f"table.csv, row 11 below the header: 'Subtotal' in column 'shop' and"
        f" {sums[0]['area'][0]:g} in column 'area' is the sum of the rows above, and 1 more such"
        " rows"
    )


@pytest.mark.parametrize("label", ["Total", "All shops"])
def test_a_first_row_of_totals_is_found(label: str) -> None:
    rows = table()
    first = {"shop": label, **rows[["area", "staff", "y"]].sum()}
    whole = pd.concat([pd.DataFrame([first]), rows], ignore_index=True)

    (one,) = totals_row(whole, [len(whole)], locate)
    assert one.evidence == (
        f"table.csv, row 1 below the header: {label!r} in column 'shop' and {first['area']:g} in"
        " column 'area' is the sum of the rows below"
    )
    assert list(totals_row(whole.assign(shop="Bonn"), [len(whole)], locate)) == []
    assert list(totals_row(whole.assign(area=1.0, y=2.0), [len(whole)], locate)) == []
    other = whole.assign(area=whole["area"].where(whole.index > 0, 1.0))
    assert len(list(totals_row(other, [len(whole)], locate))) == (label == "Total")


@pytest.mark.parametrize(
    ("cells", "shown"),
    [
        ([1, 2, 3, 4], "1, 2, 3, …"),
        ([0.0, 1.0, 2.0, 3.0], "0.0, 1.0, 2.0, …"),
        (["1", 2, 3.0, 4], "1, 2, 3.0, …"),
        (["2014", 2015, 2016, 2017], "2014, 2015, 2016, …"),
    ],
)
def test_a_first_row_that_numbers_or_repeats_the_names_is_found(
    cells: list[Any], shown: str
) -> None:
    rows = pd.DataFrame([cells, [5, 6, 7, 8]], columns=["2014", "2015", "2016", "2017"])
    (one,) = header_row(rows, locate)
    assert one.evidence == f"table.csv, row 1 below the header: {shown}"


@pytest.mark.parametrize("cells", [[1, 2], [1, 2, 4], [2, 3, 4], ["a", "b", "d"]])
def test_another_first_row_is_none(cells: list[Any]) -> None:
    rows = pd.DataFrame([cells], columns=list("abc")[: len(cells)])
    assert list(header_row(rows, locate)) == []
