"""Columns that name the rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.data import Split
from pipeline.preparation.findings import Finding
from pipeline.preparation.split import split
from tests.locations import locate
from tests.preparation.found import ROWS, found_in, noise, table_of, texts


def test_unique_texts_are_an_identifier() -> None:
    table = table_of(a=texts([min(row, 200) for row in range(ROWS)]))
    assert found_in(table) == [Finding("identifier", "a", "200 of 300 values are unique")]


@pytest.mark.parametrize(
    "values",
    [[*range(19), *[None] * (ROWS - 19)], [min(row, 180) for row in range(ROWS)]],
    ids=["19 values", "60 % differ"],
)
def test_fewer_unique_texts_are_categories(values: list[Any]) -> None:
    assert found_in(table_of(a=texts(values))) == []


@given(st.permutations(range(20)), st.integers(-30, 10**6))
def test_row_numbers_are_an_identifier(order: list[int], first: int) -> None:
    count = pd.Series(order, dtype="float64") + first
    assert found_in(table_of(a=count, y=noise(0)[:20])) == [
        Finding("identifier", "a", f"20 different integers from {first} to {first + 19}")
    ]


def test_row_numbers_are_found_in_a_training_part_with_gaps() -> None:
    table = table_of(a=pd.Series(np.arange(ROWS) * 1.0))
    parts = split(table, Split(validation=0.2, test=0.2), locate)
    assert [one.accept for one in found_in(parts)] == ["identifier:a"]


@pytest.mark.parametrize(
    "change",
    [
        lambda count: count[:19],
        lambda count: count * 2,
        lambda count: count + 0.5,
        lambda count: count // 2,
    ],
    ids=["19 rows", "with gaps", "not whole", "repeated"],
)
def test_other_numbers_are_no_identifier(change: Callable[[pd.Series], pd.Series]) -> None:
    assert found_in(table_of(a=change(pd.Series(np.arange(ROWS) * 1.0)))) == []


RNG = np.random.default_rng(0)
SPREAD = RNG.choice(900_000, ROWS, replace=False) + 100_000.0


@pytest.mark.parametrize(
    "name",
    [
        *("id", "ID", "customerId", "CustomerID", "order_id", "userid", "Kundennr", "Serial No."),
        *(
            "phone number",
            "zip_code",
            "uuid",
            "Artikelnummer",
            "SKU",
            "id_person",
            "Index",
            "barcode",
        ),
    ],
)
def test_different_integers_are_an_identifier_if_their_name_says_so(name: str) -> None:
    (one,) = found_in(table_of(**{name: pd.Series(SPREAD)}))
    assert (one.kind, one.column) == ("identifier", name)
    assert one.evidence.startswith("300 different integers from 10")


@pytest.mark.parametrize(
    "name",
    [
        *("price", "population", "area", "NO2", "NO", "humid", "paid", "acid", "number_of_rooms"),
        *("codes_per_day", "keyboard", "identity", "y2", "price index"),
    ],
)
def test_different_integers_of_another_name_are_none(name: str) -> None:
    assert found_in(table_of(**{name: pd.Series(SPREAD)})) == []


def test_a_few_rows_may_have_the_same_identifier_but_not_many() -> None:
    def kinds(distinct: int) -> list[str]:
        repeated = SPREAD[np.arange(ROWS) % distinct]
        return [one.kind for one in found_in(table_of(id=pd.Series(repeated)))]

    assert (kinds(280), kinds(200)) == (["identifier"], [])
    assert found_in(table_of(id=pd.Series(SPREAD + 0.5))) == []


@pytest.mark.parametrize("kept", [0.95, 0.6, 0.3])
@pytest.mark.parametrize("parts", [Split(), Split(validation=0.2, test=0.2)])
def test_row_numbers_are_found_although_rows_were_removed(kept: float, parts: Split) -> None:
    count = RNG.permutation(1000)[: round(1000 * kept)] + 5000.0
    table = pd.DataFrame({"x": count, "y": RNG.normal(size=len(count))})
    assert [one.accept for one in found_in(split(table, parts, locate))] == ["identifier:x"]


@given(st.integers(0, 2**32), st.integers(20, 300), st.floats(1, 3))
def test_integers_that_differ_by_chance_are_no_identifier(
    seed: int, rows: int, width: float
) -> None:
    # Of these, few or no two are equal.
    drawn = np.random.default_rng(seed).integers(0, round(width * rows**2), rows)
    assert found_in(table_of(a=pd.Series(drawn * 1.0), y=noise(0)[:rows])) == []


@pytest.mark.parametrize("name", ["year", "day of study", "Zeit"])
def test_times_with_gaps_are_no_identifier(name: str) -> None:
    times = np.flatnonzero(RNG.random(3 * ROWS) < 0.5)[:ROWS] + 1000.0
    assert found_in(table_of(**{name: pd.Series(times)})) == []
