"""The formats of dates, and columns of dates that can be read in two ways."""

import pandas as pd
import pytest

from pipeline.schema.dates import ambiguous_dates
from pipeline.schema.inference import infer_schema
from tests.locations import locate
from tests.schema.tables import one


def date_warnings(*texts: str | None) -> list[str]:
    table = one(pd.Series(texts, dtype="str"))
    return ambiguous_dates(table, infer_schema(table, {}), locate)


def test_dates_that_another_format_reads_as_other_days_are_ambiguous() -> None:
    assert date_warnings(None, "03/04/2024", "05/06/2024") == [
        (
            "table.csv, column 'a': '03/04/2024' is read as %d/%m/%Y, but could be %m/%d/%Y; if"
            " it is, set the column's format in data/schema/"
        )
    ]
    assert len(date_warnings("03/04/2024 17:30")) == 1


@pytest.mark.parametrize(
    "texts",
    [
        ("03/04/2024", "13/04/2024"),
        ("03/04/2024", "03/13/2024"),
        ("03/03/2024", "04/04/2024"),
        ("03.04.2024",),
        ("2024-03-04",),
        ("red", "blue"),
    ],
)
def test_dates_that_can_be_read_in_one_way_are_not(texts: tuple[str, ...]) -> None:
    assert date_warnings(*texts) == []
