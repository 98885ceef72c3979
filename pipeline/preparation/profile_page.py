"""The profile of a table as one HTML page that needs no other file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.config.data import Kind
from pipeline.pages.page import fill, number
from pipeline.preparation.profile import NUMBERS, iso, values_of
from pipeline.preparation.profile_drawings import LINE, WIDTH, draw
from pipeline.schema.columns import Column, Schema
from pipeline.schema.dates import is_clock

MAX_DRAWN = 200  # columns; the drawings of one may take 20 kB
LABELS = {"lower_quartile": "25 %", "upper_quartile": "75 %"}


def render(
    title: str,
    parts: Mapping[str, pd.DataFrame],
    schema: Schema,
    profile: pd.DataFrame,
    *,
    target: str,
    used_as: Mapping[str, str],
    warnings: Sequence[str],
    folds: Sequence[int] = (),
) -> str:
    """The page, the same for the same input.

    Parameters
    ----------
    title
        The name of the table.
    parts
        The training part, then the others, which may be empty or lack columns: only their rows
        and missing values are counted.
    schema
        The schema of the training part.
    profile
        The figures of the training part.
    target
        Name of a column.
    used_as
        How each column is used; those that the training part lacks are listed separately.
    warnings
        A line each.
    folds
        The number of rows that each fold of the training part holds out.

    Raises
    ------
    KeyError
        For a target that the training part lacks.
    ValueError
        If there is no part.

    """
    if not parts:
        raise ValueError("parts: is empty; the first must be the training part")
    part, train = next(iter(parts.items()))
    y = values_of(train[target], schema.columns[target].kind).x
    # It may be in any part, but not among new rows, which have no target.
    tops = [rows.loc[rows.index == rows.index.min()] for rows in parts.values() if target in rows]
    first = min(filter(len, tops), key=lambda top: top.index[0], default=train)
    columns: list[dict[str, Any]] = []
    for row in profile.to_dict("records"):
        name = str(row["column"])
        distribution = relation = None
        if len(columns) < MAX_DRAWN:
            values = values_of(train[name], schema.columns[name].kind)
            distribution, relation = draw(values, target, None if name == target else y)
        columns.append(
            {
                "name": name,
                "kind": row["kind"],
                "missing": _missing(name, parts),
                "figures": _figures(row) | _in_first_row(first, name, schema.columns[name]),
                "correlation": _correlation(row),
                "distribution": distribution,
                "relation": relation,
                "used_as": used_as.get(name, ""),
            }
        )
    return fill(
        Path(__file__).parent / "templates/profile.html",
        title=title,
        rows={name: len(table) for name, table in parts.items()},
        folds=folds,
        part=part,
        target=target,
        columns=columns,
        unused=[name for name in used_as if name not in train],
        warnings=warnings,
        max_drawn=MAX_DRAWN,
        width=WIDTH,
        line_height=LINE,
    )


def _missing(name: str, parts: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """The parts in which values of a column are missing."""
    counts = {part: int(table[name].isna().sum()) for part, table in parts.items() if name in table}
    return [
        {"part": part, "count": count, "percent": 100 * count / len(parts[part])}
        for part, count in counts.items()
        if count
    ]


def _figures(row: Mapping[Any, Any]) -> dict[str, str]:
    """The figures that apply to a column, as text by their label."""
    if pd.notna(row["most_frequent"]):
        share = f"{row['most_frequent_percent']:.1f} %"
        figures = {"most frequent": row["most_frequent"], "share": share}
    else:
        figures = {
            LABELS.get(field, field): value if isinstance(value, str) else number(value)
            for field in NUMBERS
            if pd.notna(value := row[field])
        }
    return figures | {"distinct": f"{row['distinct']:,}"}


def _in_first_row(rows: pd.DataFrame, name: str, column: Column) -> dict[str, str]:
    """What a column has in the first row of the table, as text: perhaps no value."""
    if not len(rows):
        return {}
    cell = rows[name].iloc[0]
    if pd.isna(cell):
        text = "missing"
    elif column.kind is Kind.date:
        text = iso(cell, clock=is_clock(column.format))
    elif column.kind is Kind.boolean:
        text = str(bool(cell)).lower()
    else:
        text = number(cell) if column.kind is Kind.numeric else str(cell)
    return {"first row": text}


def _correlation(row: Mapping[Any, Any]) -> dict[str, str] | None:
    if pd.isna(row["correlation"]):
        return None
    symbol = "η" if row["kind"] == Kind.category.value else "r"
    return {"symbol": symbol, "value": f"{round(row['correlation'], 2) + 0.0:.2f}"}
