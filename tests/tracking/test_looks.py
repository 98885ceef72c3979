"""Counting the results that were evaluated on the same test rows, in a real MLflow store."""

import math
from functools import partial

import numpy as np
import pandas as pd
import pytest

from pipeline.tracking import looks
from pipeline.tracking.fingerprint import TEST_ROWS, of_rows
from pipeline.tracking.looks import count, current
from pipeline.tracking.store import Store

pytestmark = pytest.mark.usefixtures("own_environment")


def record(store: Store, fingerprint: str, rows: str = "rows", **metrics: float) -> str:
    run_id = store.create_run("run", {}, {"fingerprint": fingerprint, TEST_ROWS: rows})
    store.log_metrics(run_id, metrics)
    store.end(run_id, "FINISHED")
    return run_id


def result(store: Store, fingerprint: str, error: float, rows: str = "rows") -> str:
    return record(store, fingerprint, rows, test_rmse=error, test_mae=error / 2)


def seen(store: Store, fingerprint: str, error: float) -> tuple[list[float], int]:
    found = count(store, "rows", fingerprint, {"rmse": error, "mae": error / 2, "bias": 0})
    assert found.store == store.name
    return list(found.errors), found.number


def test_results_are_counted_in_their_order_with_one_that_is_not_recorded_yet(
    store: Store,
) -> None:
    assert seen(store, "a", 3.0) == ([3.0], 1)
    result(store, "a", 3.0)
    result(store, "b", 2.0)
    assert seen(store, "a", 3.0) == ([3.0, 2.0], 1)
    assert seen(store, "c", 2.5) == ([3.0, 2.0, 2.5], 3)


def test_a_result_that_is_computed_again_is_one(store: Store) -> None:
    result(store, "a", 3.0)
    result(store, "b", 2.0)
    result(store, "a", 3.0)  # repeated
    result(store, "a", 3.1)  # on another machine
    result(store, "other code", 2.0)
    assert seen(store, "a", 3.1) == ([3.1, 2.0], 1)
    assert seen(store, "other code", 2.0) == ([3.1, 2.0], 2)


def test_other_rows_are_not_counted_and_deleted_runs_are(store: Store) -> None:
    result(store, "a", 3.0, rows="others")
    store.client.delete_run(result(store, "b", 2.0))
    assert seen(store, "c", 2.5) == ([2.0, 2.5], 2)


def test_a_sweep_is_its_winner_and_its_ensemble(store: Store) -> None:
    record(store, "sweep", start_test_rmse=9.0, winner_test_rmse=2.0, ensemble_test_rmse=1.9)
    assert seen(store, "a", 3.0) == ([2.0, 1.9, 3.0], 3)
    # Promoted and trained again, the winner is no other result.
    result(store, "promoted", 2.0000001)
    assert seen(store, "promoted", 2.0000001) == ([2.0000001, 1.9], 1)


def test_a_sweep_by_another_error_is_counted_without_an_rmse(store: Store) -> None:
    record(store, "sweep", winner_test_mae=1.0)
    errors, number = seen(store, "a", 3.0)
    assert math.isnan(errors[0])
    assert (errors[1:], number) == ([3.0], 2)
    result(store, "promoted", 2.0)
    assert seen(store, "promoted", 2.0) == ([2.0], 1)


def test_more_results_than_a_page_of_mlflow_has_are_counted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        result(store, f"{number}", 1.0 + number)
    search = store.client.search_runs
    monkeypatch.setattr(store.client, "search_runs", partial(search, max_results=2))
    assert seen(store, "4", 5.0) == ([1.0, 2.0, 3.0, 4.0, 5.0], 5)


def test_rows_are_known_by_their_positions_and_true_values() -> None:
    true = pd.Series([1.0, 2.0, np.nan], index=[4, 7, 9])
    assert of_rows(true) == of_rows(true.copy().rename("y"))
    others = [true.iloc[:2], true + 1, true.set_axis([4, 7, 8]), true.iloc[::-1]]
    assert len({of_rows(one) for one in [true, *others]}) == 5
    assert of_rows(true.iloc[:0]) is None


def test_without_test_rows_there_is_nothing_to_count(store: Store) -> None:
    assert current(store, None, "a") == "there are none"
    assert looks.ERRORS == ("rmse", "mae")
