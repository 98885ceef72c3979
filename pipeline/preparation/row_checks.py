"""Rows that are no observations: totals, and a second header."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise

import numpy as np
import pandas as pd

from pipeline.preparation.findings import Finding
from pipeline.schema.location import Locate
from pipeline.schema.remedy import quoted
from pipeline.tables.header import repeats_header

MIN_ROWS = 3  # above the totals
MIN_ROWS_OF_ONE_SUM = 10  # fewer may add up by chance
SHOWN_CELLS = 3
TOTAL = re.compile(
    r"(grand |overall |sub|sub-)?totals?|sum|summe|(zwischen|ins)?gesamt(summe|betrag|ergebnis)?"
    r"|zwischensumme|somme|(sous-)?total( g[ée]n[ée]ral)?|totaux|(sub)?tota+le?|suma( total)?|summa"
    r"|итого|合計|总计|合计",
    re.IGNORECASE,
)
MEAN = re.compile(r"average|avg|mean|mittel(wert)?|durchschnitt|moyenne|media", re.IGNORECASE)
SUM_TOLERANCE = 1e-4  # of the sum: the cells above it may be rounded
MEAN_TOLERANCE = 5e-3  # of the standard deviation


def totals_row(rows: pd.DataFrame, counts: Sequence[int], locate: Locate) -> Iterator[Finding]:
    """The last row of a file, if it sums up those above it: its text says so, or most of its
    numbers are the sums, or all of several are the means, of their columns. And others, if both
    hold: subtotals, and a first row that sums up all below it.

    Parameters
    ----------
    rows
        The conformed table; its index numbers the rows from 0, and some may be left out.
    counts
        The number of rows of each file of the table.
    locate
        Where a person finds the row of a number.

    """
    for start, end in pairwise(accumulate(counts, initial=0)):
        # By column, or pandas would copy the table.
        columns = {str(name): column.loc[start : end - 1] for name, column in rows.items()}
        index = next(iter(columns.values())).index
        if len(index) <= MIN_ROWS:
            continue
        evidence = _totals(columns)
        if evidence:
            line = f"{locate(int(index[-1]))}: {evidence}"
            yield Finding("totals_row", "", line, ("data.reading.skip_last=1",))
        for name, column in columns.items():
            found = list(_subtotals(column, columns)) if column.dtype == "str" else []
            if found:
                at, label, evidence = found[0]
                line = f"{locate(int(index[at]))}: {label!r} in column {name!r} and {evidence}"
                line += f", and {len(found) - 1} more such rows" if len(found) > 1 else ""
                setting = f"data.reading.comment={quoted(label)} if its line begins with that"
                yield Finding("totals_row", "", line, (setting,))


def _totals(columns: Mapping[str, pd.Series]) -> str:
    cells = {name: column.iloc[-1] for name, column in columns.items()}
    above = {name: column.iloc[:-1] for name, column in columns.items()}
    texts = [
        (name, cell.strip(" :"))
        for name, cell in cells.items()
        if isinstance(cell, str) and not (above[name] == cell).any()
    ]
    numbers = [
        name
        for name, cell in cells.items()
        if isinstance(cell, float) and not np.isnan(cell) and above[name].notna().any()
    ]
    sums = [name for name in numbers if _is_sum(above[name], cells[name])]
    means = [name for name in numbers if _is_mean(above[name], cells[name])]
    labels = [one for one in texts if TOTAL.fullmatch(one[1])]
    if means and len(means) == len(numbers):
        labels += [one for one in texts if MEAN.fullmatch(one[1])]
        sums += means if labels or len(means) > 1 else []
    words = [f"{text!r} in column {name!r}" for name, text in labels[:1]]
    many = len(sums) > 1 or max(map(len, above.values())) >= MIN_ROWS_OF_ONE_SUM
    if labels or (sums and many and 2 * len(sums) >= len(numbers)):
        what = "mean" if sums and sums[0] in means else "sum"
        words += [
            f"{cells[name]:g} in column {name!r} is the {what} of the rows above"
            for name in sums[:1]
        ]
        return " and ".join(words)
    return ""


def _subtotals(
    texts: pd.Series, columns: Mapping[str, pd.Series]
) -> Iterator[tuple[int, str, str]]:
    """The rows but the last whose text and most of whose numbers say that they sum up the rows
    above them, up to another such row, or the first row those below it; and a first row all of
    whose several numbers do: position, text and evidence."""
    said = texts.iloc[:-1].str.fullmatch(f"[ :]*(?:{TOTAL.pattern})[ :]*", case=False, na=False)
    first = texts.iloc[:1].notna().all() and not (texts.iloc[1:] == texts.iloc[0]).any()
    blocks = [*pairwise([-1, *np.flatnonzero(said)])]
    if first and not said.iloc[0]:
        blocks.insert(0, (-1, 0))
    for low, at in blocks:
        others, where = (slice(low + 1, at), "above") if at else (slice(1, None), "below")
        cells = {
            name: column.iloc[at]
            for name, column in columns.items()
            if column.dtype == "float64" and not np.isnan(column.iloc[at])
        }
        sums = [name for name, cell in cells.items() if _is_sum(columns[name].iloc[others], cell)]
        enough = 2 * len(sums) >= len(cells) if said.iloc[at] else len(sums) == len(cells) > 1
        if sums and enough:
            evidence = f"{cells[sums[0]]:g} in column {sums[0]!r} is the sum of the rows {where}"
            yield int(at), str(texts.iloc[at]), evidence


def _is_sum(above: pd.Series, value: float) -> bool:
    total = above.sum()
    return bool(abs(value) > above.abs().max() and abs(value - total) <= SUM_TOLERANCE * abs(total))


def _is_mean(above: pd.Series, value: float) -> bool:
    std = above.std(ddof=0)
    return bool(std > 0 and abs(value - above.mean()) <= MEAN_TOLERANCE * std)


def header_row(table: pd.DataFrame, locate: Locate) -> Iterator[Finding]:
    """The first row of a table as it was read, if it repeats the names of the columns or
    numbers them."""
    cells = [str(cell) for cell in table.iloc[0]]
    if repeats_header(cells, [str(name) for name in table.columns]):
        shown = ", ".join(cells[:SHOWN_CELLS])
        more = ", …" * (len(cells) > SHOWN_CELLS)
        yield Finding("header_row", "", f"{locate(0)}: {shown}{more}")
