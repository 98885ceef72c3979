"""What the columns of a table are: the contract between a table and whoever reads it.

In a conformed table a numeric or a boolean (0, 1) column is float64 with NaN for missing
values, a category is text (pandas' str, NaN), a date is datetime64[us] (NaT).
"""

from collections.abc import Callable

# From a row's position, counted from 0, to how a person finds it: "table.csv, row 3 below
# the header".
Place = Callable[[int], str]


def source_of(place: Place) -> str:
    return place(0).rpartition(", row")[0]
