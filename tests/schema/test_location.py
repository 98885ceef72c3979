"""How the location of a row reads."""

import pytest

from pipeline.schema.location import Location


@pytest.mark.parametrize(
    ("location", "text"),
    [
        (Location("a.csv", 3, below_header=True), "a.csv, row 3 below the header"),
        (Location("a.parquet", 3), "a.parquet, row 3"),
        (Location("the table", "Bonn, row 7"), "the table, row 'Bonn, row 7'"),
    ],
)
def test_a_location_is_a_source_and_a_row(location: Location, text: str) -> None:
    assert str(location) == text
