"""Results as they are printed."""

from pipeline.dataset.results import lines


def test_a_part_is_a_short_line_with_the_interval_of_its_rmse() -> None:
    errors = {"mse": 4.0, "rmse": 2.0, "mae": 1.0, "r2": 0.1234567, "max_error": 5.0}
    ends = {"rmse_low": 1.5, "rmse_high": 2.666666, "mae_low": 0.9, "mae_high": 1.1}
    metrics = {"in_sample": errors, "cv": errors | ends | {"fold_1_rmse": 3.0}}
    assert lines(metrics) == [
        "in-sample: rmse 2, mae 1, r2 0.12346",
        "cv: rmse 2 (1.5 to 2.6667), mae 1, r2 0.12346",
    ]


def test_what_is_no_part_is_printed_as_it_is() -> None:
    metrics = {"test": {"rmse": 2.0, "mae": 1.0}, "optimum": {"mse": 1.0, "excess_mse": 0.5}}
    assert lines(metrics) == ["test: rmse 2, mae 1", "optimum: mse 1, excess_mse 0.5"]


def test_the_coverage_of_intervals_and_the_verdict_are_lines_of_their_own() -> None:
    test = {"rmse": 2.0, "nominal_coverage": 0.9, "coverage": 0.875, "interval_width": 6.25}
    assert lines({"test": test}, "test: better") == [
        "test: rmse 2",
        "test: 87.5 % of the rows are within their 90 % interval, which is 6.25 wide on average",
        "test: better",
    ]
