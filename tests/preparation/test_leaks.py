"""What gives the target away."""

import numpy as np
import pandas as pd
import pytest

from pipeline.preparation.findings import Finding
from tests.preparation.found import ROWS, found_in, noise, table_of, texts, thirds

# Of whole rows


def test_equal_rows_in_two_parts_are_found() -> None:
    parts = thirds(table_of(a=noise(1), b=texts(["x", "y", None] * 100)))
    parts["test"] = pd.concat([parts["test"], parts["train"].iloc[[2, 7]].set_axis([700, 800])])
    assert found_in(parts) == [
        Finding(
            "shared_rows",
            "",
            "table.csv, row 3 below the header, in train and table.csv, row 701 below the header,"
            " in test, and 1 more such",
        )
    ]


def test_equal_rows_in_one_part_are_no_concern() -> None:
    table = table_of(a=noise(1))
    assert found_in(pd.concat([table, table], ignore_index=True)) == []


def test_rows_of_equal_features_and_another_target_are_not_equal() -> None:
    parts = thirds(table_of(a=noise(1)))
    parts["test"] = parts["train"].assign(y=noise(3)).set_axis(range(200, 300))
    assert found_in(parts) == []


def test_groups_in_two_parts_are_found() -> None:
    parts = thirds(table_of(a=noise(1), g=texts([f"g{row // 60}" for row in range(ROWS)])))
    assert found_in(parts, group="g") == [
        Finding("shared_group", "g", "2 of 5, such as 'g1' in train and validation")
    ]


def test_whole_groups_and_missing_ones_are_no_concern() -> None:
    groups = texts([None if row % 2 else row // 100 for row in range(ROWS)])
    assert found_in(thirds(table_of(a=noise(1), g=groups)), group="g") == []


# The target


@pytest.mark.parametrize(("factor", "blur", "r"), [(1, 1e-3, "1.00000"), (-2.5, 0.02, "-0.99997")])
def test_a_number_that_goes_with_the_target_is_a_copy_of_it(
    factor: float, blur: float, r: str
) -> None:
    table = table_of(a=noise(1), b=factor * noise(0) + blur * noise(2) + 7)
    table.loc[3, "b"] = np.nan
    assert found_in(table) == [Finding("target_copy", "b", f"r = {r}")]


def test_four_rows_are_too_few_for_a_copy() -> None:
    first = [table_of(a=noise(0).where(noise(0).index < rows)) for rows in (4, 5)]
    assert [len(found_in(table)) for table in first] == [0, 1]


def test_a_table_that_is_linear_in_one_feature_is_a_copy_and_no_sum() -> None:
    assert [one.kind for one in found_in(table_of(a=noise(1), y=4 * noise(1)))] == ["target_copy"]


def test_categories_with_a_target_each_are_a_copy_of_it() -> None:
    price = pd.Series(np.arange(ROWS) % 40 * 1.5)
    (first, *_) = found_in(table_of(a=texts([f"{value} EUR" for value in price]), y=price))
    assert first == Finding(
        "target_copy", "a", "each of 40 categories has a different target, in 300 rows"
    )


@pytest.mark.parametrize(
    ("categories", "targets"),
    [(3, 3), (40, 20), (40, ROWS), (ROWS, ROWS)],
    ids=["few categories", "shared targets", "several targets each", "a row each"],
)
def test_categories_that_may_determine_the_target_by_chance_are_not_a_copy(
    categories: int, targets: int
) -> None:
    table = table_of(
        a=texts([row % categories for row in range(ROWS)]),
        y=pd.Series(np.arange(ROWS) % targets * 1.5),
    )
    assert "target_copy" not in {one.kind for one in found_in(table)}


@pytest.mark.parametrize(
    ("factors", "constant", "message"),
    [
        ([1, 1], 0, "= 1 · a + 1 · b"),
        ([-2, 0.5], 3, "= - 2 · a + 0.5 · b + 3"),
        ([10, 0, -3], -4, "= 10 · a - 3 · c - 4"),
        ([1] * 9, 0, "= 1 · a + 1 · b + 1 · c + 1 · d + 1 · e + 1 · f + 3 more terms"),
    ],
)
def test_a_target_that_is_a_sum_of_features_is_found(
    factors: list[float], constant: float, message: str
) -> None:
    features = {"abcdefghi"[number]: noise(number + 1) for number in range(len(factors))}
    products = zip(factors, features.values(), strict=True)
    total = sum((factor * column for factor, column in products), noise(0) * 0 + constant)
    features["a"] = features["a"].where(noise(20) > -1)
    terms = tuple(name for name, factor in zip(features, factors, strict=True) if factor)
    assert found_in(table_of(**features, z=texts(["u", "v"] * 150), y=total)) == [
        Finding("target_sum", "", message, terms)
    ]


FARE, TIP, TOLLS = (
    (np.random.default_rng(seed).gamma(2, scale, ROWS)).round(2)
    for seed, scale in ((1, 6.0), (2, 1.5), (3, 2.0))
)
SOME_TOLLS = np.where(noise(4) > 1, 5.76, 0)


@pytest.mark.parametrize(
    ("features", "total", "message"),
    [
        (
            {"fare": FARE, "tip": TIP, "tolls": TOLLS},
            (FARE + TIP + TOLLS).round(),
            "1 · fare + 1 · tip + 1 · tolls explains all but 0.1 % of its variance",
        ),
        (
            {"fare": FARE, "tip": TIP, "sum": FARE + TIP + TOLLS},
            TOLLS + noise(5).to_numpy() / 50,
            "- 1 · fare - 1 · tip + 1 · sum explains all but 0.005 % of its variance",
        ),
        (
            {"low": FARE, "high": FARE + TOLLS, "other": noise(6).to_numpy()},
            (FARE + TOLLS / 2).round(1),
            "0.5 · low + 0.5 · high explains all but 0.001 % of its variance",
        ),
        (
            {"fare": FARE, "tip": TIP},
            FARE + TIP + SOME_TOLLS + 0.5,
            "1 · fare + 1 · tip + 0.5 equals it in 80 % of rows",
        ),
    ],
    ids=["rounded", "a part", "mean", "another part is missing"],
)
def test_a_target_that_is_nearly_a_sum_of_features_is_found(
    features: dict[str, np.ndarray], total: np.ndarray, message: str
) -> None:
    (one,) = found_in(table_of(**features, y=pd.Series(total)))
    assert (one.kind, one.evidence) == ("target_near_sum", message)
    assert all(name in message for name in one.detail)


@pytest.mark.parametrize(
    "total",
    [
        FARE + TIP + TOLLS + noise(5).to_numpy(),
        0.6 * FARE + 1.7 * TIP + 0.3 * TOLLS + noise(5).to_numpy() / 50,
        FARE * TIP,
        FARE + noise(5).to_numpy() / 3,
    ],
    ids=["with an error", "a law of other factors", "product", "one term"],
)
def test_a_target_that_only_depends_on_features_is_no_sum(total: np.ndarray) -> None:
    assert found_in(table_of(fare=FARE, tip=TIP, tolls=TOLLS, y=pd.Series(total))) == []


def test_numbers_too_small_to_be_squared_have_no_findings() -> None:
    rng = np.random.default_rng(9)
    tiny = {name: pd.Series(rng.normal(size=ROWS) * 1e-310) for name in "ab"}
    assert found_in(table_of(**tiny)) == []
    assert found_in(table_of(**tiny, y=tiny["a"] * -2))[0].kind == "target_copy"


def test_few_rows_fit_any_sum() -> None:
    table = table_of(**{f"x{number}": noise(number + 1) for number in range(12)})
    assert found_in(table.iloc[:13]) == []


def test_a_sum_of_more_rows_than_are_looked_at_is_found() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(50_000, 2)), columns=["a", "b"])
    found = found_in(table.assign(y=table["a"] - table["b"]))
    assert found == [Finding("target_sum", "", "= 1 · a - 1 · b", ("a", "b"))]
