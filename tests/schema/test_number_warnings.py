"""Text that may be numbers: which columns are warned of, and which are codes, names and levels."""

import numpy as np
import pandas as pd
import pytest

from pipeline.config.data import Kind
from pipeline.schema.columns import Column, Schema
from pipeline.schema.location import by_position
from pipeline.schema.number_warnings import number_warnings

RNG = np.random.default_rng(0)
A, B, C = (RNG.integers(11, 99, 60).tolist() for _ in range(3))


def warnings(*forms: str) -> list[str]:
    """Of a column of 60 cells, of these forms in turn; the signs # & % are numbers."""
    cells = [
        forms[row % len(forms)].translate({ord("#"): str(a), ord("&"): str(b), ord("%"): str(c)})
        for row, (a, b, c) in enumerate(zip(A, B, C, strict=True))
    ]
    table = pd.DataFrame({"x": pd.Series(cells, dtype="str")})
    return number_warnings(table, Schema({"x": Column(Kind.category)}), by_position)


@pytest.mark.parametrize(
    "forms",
    [
        ["# 1/2", "#", "& 3/4"],
        ["#/&"],
        ["#\u00bd", "#"],
        ["# kg", "&0 g"],
        ["20#.5 kg", "1.5 g"],
        ["#.& million", "#.& thousand"],
        ["$#-$&"],
        ["#-&", "#", "&"],
        ["# ft 1 in"],
        ["#h &"],
        ["#.& \u00b1 0.%"],
        ["#,&0[1]"],
        ["#x&"],
        ["(#.&, -%.5)"],
        ["#.&N", "#.&S"],
        ["~#", "ca. #"],
        ["#.&\u00d710^3"],
        ["20#\u5e74&\u6708"],
        ["#-May", "&-Mar"],
        ["July 0#"],
        ["0#h&"],
        ["\uff11# kg", "\uff11& g"],
    ],
)
def test_numbers_in_no_notation_are_warned_of(forms: list[str]) -> None:
    (line,) = warnings(*forms)
    assert "holds a number, as 100% of the cells do, but" in line
    assert line.endswith("or set data.kinds={x: category} to keep it")


@pytest.mark.parametrize(
    "forms",
    [
        ["# Oak Street", "x", "# Elm Street", "& Road", "y"],
        ["#&-%#-1"],
        ["1#-1&-#&"],
        ["(1#) 5&-%00"],
        ["+49 #0 &%"],
        ["#.&.%"],
        ["#A", "&B", "%C"],
        ["#-A", "&-B"],
        ["#q&.1"],
        ["#&_s_at"],
        ["R#", "Room &"],
        ["10-19", "20-29", "30+", "40+"],
        ["1 or more", "2 or more"],
        ["2024-05-1", "12 May 20#"],
        ["#", "low", "high"],
        [""],
    ],
)
def test_codes_names_and_levels_are_not(forms: list[str]) -> None:
    assert warnings(*forms) == []


def test_the_line_shows_two_notations_and_where_the_first_is() -> None:
    (line,) = warnings("# kg", "#.& g", "#.& g")
    assert line == (
        f"the table, row 2, column 'x': '{A[1]}.{B[1]} g' holds a number, as 100% of the cells do,"
        f" but they have no common notation ('{A[0]} kg'); the column is read as text: write the"
        " numbers in one notation, set data.date_formats if they are dates, or set"
        " data.kinds={x: category} to keep it"
    )
