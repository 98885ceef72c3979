"""Results as they are printed."""

from pipeline.dataset.results import lines


def test_a_part_is_a_line_of_its_errors_but_those_of_single_folds() -> None:
    metrics = {"in_sample": {"rmse": 2.0, "r2": 0.123456789}, "cv": {"mae": 1.0, "fold_1_rmse": 3}}
    assert lines(metrics) == ["in-sample: rmse 2, r2 0.123457", "cv: mae 1"]
