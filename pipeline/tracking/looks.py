"""How many results the store has that were evaluated on the same test rows."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from pipeline.compose.schema import Config
from pipeline.reporting.looks import Looks
from pipeline.runtime.errors import read_errors
from pipeline.runtime.paths import METRICS, PREPARED
from pipeline.tracking import fingerprint
from pipeline.tracking.backend import ViewType
from pipeline.tracking.store import Store

# What a run evaluates on them, and a user may choose, with the beginning of its metrics' names: the
# model of a training and two of a sweep, whose trials are not evaluated on them.
MODELS = {"": "test_", "winner": "winner_test_", "ensemble": "ensemble_test_"}
ERRORS = ("rmse", "mae")
# An error of a result that is computed again, as when the winner of a sweep is promoted.
DIGITS = 6


def test_rows(config: Config) -> str | None:
    """The hash of the test rows of the current result; None without."""
    path = PREPARED / "test.parquet"
    with read_errors(path):
        return fingerprint.of_rows(pd.read_parquet(path, columns=[config.data.target]).iloc[:, 0])


def current(store: Store, rows: str | None, result: str) -> Looks | str:
    """What `count` returns for the result under data/, or why there are no looks."""
    if rows is None:
        return "there are none"
    with read_errors(METRICS):
        errors = json.loads(METRICS.read_text("utf-8"))["test"]
    return count(store, rows, result, errors)


def count(store: Store, rows: str, result: str, errors: Mapping[str, float]) -> Looks:
    """The results that were evaluated on test rows of that hash, and which of them is the one of a
    training's fingerprint, with those errors on them, whether it is recorded yet or not. Results
    with one fingerprint or one error are one. Raises STORE_ERRORS."""
    found = dict(_recorded(store, rows))
    found.setdefault(result, {one: errors[one] for one in ERRORS})
    numbers: dict[str, int] = {}
    distinct: dict[int, float] = {}
    for name, values in found.items():
        keys = [f"{error} {value:.{DIGITS}g}" for error, value in values.items()]
        number = next((numbers[key] for key in keys if key in numbers), len(distinct) + 1)
        numbers |= dict.fromkeys([*keys, name], number)
        distinct[number] = values.get("rmse", distinct.get(number, math.nan))
    return Looks(list(distinct.values()), numbers[result], store.name)


def _recorded(store: Store, rows: str) -> Iterator[tuple[str, dict[str, float]]]:
    """What identifies each recorded result, and its errors, in the order in which runs began. Runs
    that were deleted have been seen too."""
    token: Any = None
    while True:
        page = store.client.search_runs(
            [store.experiment_id],
            f"tags.{fingerprint.TEST_ROWS} = '{rows}'",
            run_view_type=ViewType.ALL,
            order_by=["attributes.start_time ASC"],
            page_token=token,
        )
        for run in page:
            metrics = run.data.metrics
            for model, prefix in MODELS.items():
                values = {one: metrics[prefix + one] for one in ERRORS if prefix + one in metrics}
                if values:
                    yield (
                        f"{model} of {run.info.run_id}" if model else run.data.tags["fingerprint"],
                        values,
                    )
        token = page.token
        if not token:
            return
