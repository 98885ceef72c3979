"""The report of a result as one HTML page that needs no other file."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.evaluation.comparison import IN_WORDS
from pipeline.pages.page import fill, number, shorten
from pipeline.reporting import words
from pipeline.reporting.looks import Looks
from pipeline.reporting.result import Result

MAX_COLUMNS, MAX_ERRORS = 200, 40  # rows of tables
MEASURES = {
    "RMSE": "rmse",
    "mean absolute": "mae",
    "median absolute": "median_absolute_error",
    "largest": "max_error",
    "bias": "bias",
    "R²": "r2",
}
CAPTIONS = {
    "predicted_against_true": "Predicted against true values. On the line, predictions are exact.",
    "residuals": "Residuals (true - predicted) by prediction: a pattern is an error that the model"
    " makes again and again.",
    "importance": "Importance of columns: how much larger the error is with the values of a column"
    " shuffled.",
    "partial_dependence": "Partial dependence: the mean prediction if all rows had a value of the"
    " column.",
    "learning_curves": "Learning curves: the loss and the mean absolute error by epoch.",
}


@dataclass(frozen=True)
class Origin:
    """What a result was computed from.

    Attributes
    ----------
    fingerprint
        The hash that identifies it.
    run
        The name of its run in MLflow, if it is recorded.
    commit, unknown
        The commit, or why it is unknown.
    changed
        Whether files differ from the commit.
    packages
        Versions by name.
    """

    fingerprint: str
    run: str | None = None
    commit: str | None = None
    unknown: str | None = None
    changed: bool = False
    packages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A table: the first cell of a row is its name."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def render(result: Result, looks: Looks | str, origin: Origin) -> str:
    """The page, the same for the same arguments. looks is text where they are not known: why."""
    data = result.config.data
    return fill(
        Path(__file__).parent / "templates/report.html",
        title=f"{shorten(data.target)}: report of a model",
        target=data.target,
        verdict=words.verdict(result),
        test_verdict=words.test_verdict(result),
        errors=_errors(result),
        baselines=_baselines(result),
        looks=words.looks(result, looks),
        coverage=words.coverage(result),
        slices=_slices(result),
        errors_by_column=_errors_by_column(result),
        judged_rows=words.judged_rows(result),
        intervals=result.calibrated_with is not None,
        figures={
            name: f"data:image/png;base64,{b64encode(content).decode()}"
            for name, content in result.figures.items()
        },
        captions=CAPTIONS,
        warnings=result.warnings,
        card=_card(result),
        columns=_columns(result),
        left_out=max(0, len(result.columns) - MAX_COLUMNS),
        limits=words.limits(result),
        origin=origin,
    )


def _errors(result: Result) -> Table:
    """The errors of each part that has rows."""
    parts = [part for part in result.metrics if part in result.rows]
    return Table(
        ["Part", "rows", *MEASURES],
        [
            [
                words.NAMES[part],
                f"{result.rows[part]:,}",
                *(
                    words.with_interval(result.metrics[part], name)
                    if name in result.metrics[part]
                    else ""
                    for name in MEASURES.values()
                ),
            ]
            for part in parts
        ],
    )


def _baselines(result: Result) -> Table:
    """The model beside each baseline, on rows that it was not trained on."""
    return Table(
        ["Baseline", "part", "its RMSE", "the model is"],
        [
            [
                IN_WORDS.get(name, name),
                words.NAMES[part],
                number(result.metrics[part][f"{name}_rmse"]),
                one.in_words(),
            ]
            for part, each in result.compared.items()
            for name, one in each.items()
        ],
    )


def _slices(result: Result) -> Table:
    return Table(
        ["Rows where", "rows", "RMSE", "RMSE of the others", "p-value"],
        [
            [
                str(row["slice"]),
                f"{row['rows']:,}",
                f"{number(row['rmse'])} {_ends(row)}",
                number(row["rmse_elsewhere"]),
                f"{row['p_value']:.2g}",
            ]
            for row in _records(result, "slices")
        ],
    )


def _errors_by_column(result: Result) -> Table:
    """Those of the columns that the model uses most, as far as that is known."""
    records = _records(result, "errors_by_column")
    order = {row["column"]: place for place, row in enumerate(_records(result, "importance"))}
    records.sort(key=lambda row: order.get(row["column"], len(order)))
    return Table(
        ["Column", "values", "rows", "RMSE", "mean absolute", "bias"],
        [
            [
                str(row["column"]),
                str(row["values"]),
                f"{row['rows']:,}",
                *(number(row[name]) for name in ("rmse", "mae", "bias")),
            ]
            for row in records[:MAX_ERRORS]
        ],
    )


def _ends(row: Mapping[Any, Any]) -> str:
    return f"({number(row['lower'])} to {number(row['upper'])})"


def _records(result: Result, name: str) -> list[dict[Any, Any]]:
    table = result.tables.get(name)
    return [] if table is None else table.to_dict("records")


def _card(result: Result) -> dict[str, str]:
    """What the model is and how it was made, by label."""
    data, config = result.config.data, result.config
    parts = ", ".join(
        f"{count:,} {words.NAMES[part]}" for part, count in result.rows.items() if part != "cv"
    )
    facts = {
        "Table": data.path,
        "Target": data.target,
        "Rows": parts,
        "Split": words.split(result),
        "Groups": data.group_column or "",
        "Folds": words.folds(result),
        "Network": words.network(config.model.layers),
        "Loss": words.loss(config, data.scale_target),
        "Optimizer": words.optimizer(config),
        "Epochs": words.epochs(result),
    }
    return {label: text for label, text in facts.items() if text}


def _columns(result: Result) -> Table:
    rows = result.columns.head(MAX_COLUMNS).to_dict("records")
    return Table(
        ["Column", "kind", "missing", "values", "used as"],
        [
            [
                str(row["column"]),
                str(row["kind"]),
                f"{row['missing_percent']:.3g} %",
                _values(row),
                "" if pd.isna(row["used_as"]) else str(row["used_as"]),
            ]
            for row in rows
        ],
    )


def _values(row: Mapping[Any, Any]) -> str:
    """The values of a column in short."""
    if pd.notna(row["most_frequent"]):
        share = f"{row['most_frequent_percent']:.3g} %"
        return f"{row['distinct']:,}; {shorten(str(row['most_frequent']))}: {share}"
    if pd.isna(row["min"]):
        return ""
    return " to ".join(
        end if isinstance(end, str) else number(end) for end in (row["min"], row["max"])
    )
