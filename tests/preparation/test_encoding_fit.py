"""The encoding that is fitted to the training part."""

import json
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.data import (
    BinEdges,
    Data,
    Impute,
    Kind,
    Lint,
    Policy,
    ScaleInputs,
    ScaleTarget,
    Split,
    SplitBy,
)
from pipeline.dataset.encoding import Category, Date, Encoding, Number, Target
from pipeline.preparation import encoding_fit
from pipeline.preparation.preparation import prepare
from pipeline.runtime.errors import UserError
from pipeline.schema.columns import Column, Schema

NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False)


def fitted(values: Any, kind: Kind, y: Any = None, **changed: Any) -> Any:
    """What is fitted to a column of these values, beside a target."""
    dtype = {Kind.category: "str", Kind.date: "datetime64[us]"}.get(kind, "float64")
    y = np.arange(float(len(values))) if y is None else y
    train = pd.DataFrame({"a": pd.Series(values, dtype=dtype), "y": y})
    columns = Schema({"a": Column(kind), "y": Column(Kind.numeric)})
    data = Data(path="table.csv", target="y", **changed)
    encoding = encoding_fit.fit_encoding(train, columns, ["a"], data)
    return (encoding.numbers | encoding.categories | encoding.dates)["a"]


def test_a_time_of_day_has_no_calendar() -> None:
    times = pd.to_datetime(pd.Series(["1970-01-01 06:00", None, "1970-01-01 18:00"]))
    train = pd.DataFrame({"a": times, "y": [1.0, 2.0, 3.0]})
    columns = Schema({"a": Column(Kind.date, format="%H:%M"), "y": Column(Kind.numeric)})
    data = Data(path="table.csv", target="y")
    encoding = encoding_fit.fit_encoding(train, columns, ["a"], data)
    assert encoding.dates == {"a": Date(0.5, True, 0.5, 0.25, clock=True, calendar=False)}
    words = encoding_fit.describe(encoding)["a"]
    assert words.startswith("days, sine of day, cosine of day, is missing; 12:00 where missing")


def fitted_target(values: Any, scale: ScaleTarget) -> Target:
    train = pd.DataFrame({"a": np.arange(float(len(values))), "y": values})
    columns = Schema({"a": Column(Kind.numeric), "y": Column(Kind.numeric)})
    data = Data(path="table.csv", target="y", scale_target=scale)
    return encoding_fit.fit_encoding(train, columns, ["a"], data).target


# Of which rows


@pytest.mark.parametrize(
    ("scale", "edges"),
    [
        (ScaleInputs.robust, BinEdges.quantile),
        (ScaleInputs.quantile, BinEdges.quantile),
        *((ScaleInputs.piecewise, edges) for edges in BinEdges),
    ],
)
def test_the_encoding_depends_on_the_training_part_only(
    tmp_path: Path, scale: ScaleInputs, edges: BinEdges
) -> None:
    path = str(tmp_path / "table.csv")
    split = Split(by=SplitBy.column, column="part")
    lint = Lint(target_missing_code=Policy.accept)
    data = Data(
        path=path, target="y", split=split, scale_inputs=scale, bin_edges=edges, bins=4, lint=lint
    )
    random = np.random.default_rng(5)
    table = pd.DataFrame(
        {
            "part": ["train"] * 30 + ["validation"] * 5 + ["test"] * 5,
            "number": random.normal(size=40),
            "colour": random.choice(["red", "blue"], 40),
            "when": [f"2024-03-{day % 28 + 1:02}" for day in range(40)],
            "y": random.normal(size=40),
        }
    )
    changed = {"number": 1e6, "colour": "green", "when": "1999-01-01", "y": -1e6}

    def encoding(rows: "pd.Series[bool]", values: dict[str, Any]) -> Encoding:
        """With these values in these rows."""
        new = {name: table[name].mask(rows, value) for name, value in values.items()}
        table.assign(**new).to_csv(path, index=False)
        return prepare(data).encoding

    before = encoding(table["part"] == "none", {})
    assert encoding(table["part"] != "train", changed) == before
    for name, value in changed.items():
        assert encoding(table.index.to_series() < 10, {name: value}) != before


# Numbers


@pytest.mark.parametrize(("impute", "fill"), [(Impute.median, 2.0), (Impute.mean, 4.0)])
def test_a_gap_is_filled_by_the_median_or_the_mean(impute: Impute, fill: float) -> None:
    one = fitted([1, 2, np.nan, 9], Kind.numeric, impute=impute)
    assert (one.fill, one.missing_indicator) == (fill, True)


def test_there_is_a_missing_indicator_only_if_training_has_missing_values() -> None:
    assert not fitted([1, 2, 9], Kind.numeric).missing_indicator
    assert not fitted(["2024-01-01", "2024-01-02"], Kind.date).missing_indicator
    assert fitted(["2024-01-01", None], Kind.date).missing_indicator


@pytest.mark.parametrize("kind", [Kind.numeric, Kind.boolean])
def test_a_scale_is_the_mean_and_the_population_std(kind: Kind) -> None:
    one = fitted([0, 1, 1, np.nan], kind)
    assert one.mean == pytest.approx(2 / 3)
    assert one.std == pytest.approx(np.sqrt(2) / 3)
    assert one.quantiles == one.levels == []


def test_numbers_may_be_left_as_they_are() -> None:
    assert fitted([0, 4, np.nan], Kind.numeric, scale_inputs=ScaleInputs.none) == Number(2, True)


@pytest.mark.parametrize("value", [0.0, 5.0, 0.1, 1e30])
def test_a_constant_column_is_only_centred(value: float) -> None:
    # Seven times 0.1 has a std by rounding.
    one = fitted([value] * 7, Kind.numeric)
    assert one.mean == pytest.approx(value)
    assert one.std == 1


def test_a_spread_too_small_to_be_squared_is_no_spread() -> None:
    assert encoding_fit.standard(np.array([0, 1e-300])) == (5e-301, 1.0)


# Quantiles


def quantiles(values: Any) -> Number:
    one = fitted(values, Kind.numeric, scale_inputs=ScaleInputs.quantile)
    assert isinstance(one, Number)
    return one


@given(st.lists(NUMBERS, min_size=1, max_size=300))
def test_quantiles_and_levels_ascend_from_the_minimum_to_the_maximum(values: list[float]) -> None:
    one = quantiles(values)
    assert len(one.quantiles) == len(one.levels) <= encoding_fit.QUANTILES + 1
    assert (np.diff(one.quantiles) > 0).all()
    assert (np.diff(one.levels) > 0).all()
    assert (one.quantiles[0], one.quantiles[-1]) == (min(values), max(values))
    assert (one.mean, one.std) == (0, 1)


def test_what_a_number_becomes_is_nearly_normal_whatever_it_is_itself() -> None:
    values = np.random.default_rng(3).lognormal(sigma=3, size=5000)
    one = quantiles(values)
    levels = np.sort(np.interp(values, one.quantiles, one.levels))
    expected = [NormalDist().inv_cdf((rank + 0.5) / 5000) for rank in range(5000)]
    inner = slice(100, -100)
    np.testing.assert_allclose(levels[inner], expected[inner], atol=0.03)
    # At the ends no further than the outermost quantiles.
    assert -3 < levels[0] < -2 < 2 < levels[-1] < 3


def test_a_value_of_many_rows_has_the_level_in_their_middle() -> None:
    one = quantiles([0.0] * 50 + list(range(1, 51)))
    zero = one.levels[one.quantiles.index(0.0)]
    at_most_50 = [NormalDist().inv_cdf(max(share, 0.005)) for share in np.linspace(0, 0.5, 51)]
    assert zero == pytest.approx(np.mean(at_most_50), abs=0.05)


def test_a_constant_column_has_one_level_in_the_middle() -> None:
    one = quantiles([5.0] * 20)
    assert one.quantiles == [5.0]
    assert one.levels == [pytest.approx(0, abs=1e-9)]


@pytest.mark.parametrize("scale", [one for one in ScaleInputs if one is not ScaleInputs.none])
def test_true_and_false_are_standardised(scale: ScaleInputs) -> None:
    assert fitted([0, 1, 1], Kind.boolean, scale_inputs=scale) == fitted([0, 1, 1], Kind.boolean)


# Robust scales


def robust(values: Any) -> Number:
    one = fitted(values, Kind.numeric, scale_inputs=ScaleInputs.robust)
    assert isinstance(one, Number)
    assert one.smooth_clip
    assert one.quantiles == one.edges == []
    return one


def test_a_robust_scale_is_the_median_and_the_interquartile_range_whatever_is_far_away() -> None:
    for far in (9.0, 1e30):
        one = robust([1, 2, np.nan, 5, 7, far])
        assert (one.mean, one.std, one.fill, one.missing_indicator) == (5, 5, 5, True)


def test_where_most_values_are_equal_the_scale_is_half_the_range() -> None:
    one = robust([3.0] * 9 + [1, 7])
    assert (one.mean, one.std) == (3, 3)


@pytest.mark.parametrize("values", [[0.1] * 7, [5.0], [np.nan] * 3, [0.0, 1e-300, 2e-300]])
def test_what_does_not_vary_or_hardly_is_only_centred(values: list[float]) -> None:
    assert robust(values).std == 1


# Bins


def edges(values: Any, y: Any = None, **changed: Any) -> list[float]:
    """The edges of the bins, after checking that the number is standardised beside them."""
    one = fitted(values, Kind.numeric, y, scale_inputs=ScaleInputs.piecewise, **changed)
    assert replace(one, edges=[]) == replace(fitted(values, Kind.numeric), smooth_clip=True)
    return list(one.edges)


@given(
    st.lists(st.one_of(NUMBERS, st.integers(0, 9)), min_size=1, max_size=300),
    st.integers(2, 30),
    st.sampled_from(BinEdges),
)
def test_edges_ascend_from_the_minimum_to_the_maximum(
    values: list[float], bins: int, how: BinEdges
) -> None:
    found = edges(values, bins=bins, bin_edges=how)
    if found:
        assert (found[0], found[-1]) == (min(values), max(values))
    assert len(found) != 2
    assert len(found) <= bins + 1
    assert (np.diff(found) > 0).all()


def test_bins_have_equally_many_rows() -> None:
    values = np.random.default_rng(1).lognormal(sigma=3, size=1000)
    counts, _ = np.histogram(values, edges(values, bins=20))
    assert counts.tolist() == [50] * 20


def test_equal_quantiles_are_one_edge() -> None:
    values = [1] * 180 + [2] * 100 + [5] * 100 + [9] * 24 + [np.nan]
    assert edges(values, bins=2) == [1, 2, 9]
    assert edges([1] * 95 + [2, 3, 4, 5], bins=3) == []


def test_each_of_few_values_is_an_edge() -> None:
    assert edges([1] * 95 + [2, 3, 9] + [np.nan], bins=3) == [1, 2, 3, 9]


@pytest.mark.parametrize("how", BinEdges)
@pytest.mark.parametrize(("rows", "bins"), [(40, 4), (200, 8), (1000, 20)])
def test_few_rows_have_fewer_bins(rows: int, bins: int, how: BinEdges) -> None:
    values = np.random.default_rng(5).normal(size=rows)
    assert len(edges(values, np.sin(5 * values), bins=20, bin_edges=how)) == bins + 1


@pytest.mark.parametrize("how", BinEdges)
@pytest.mark.parametrize("values", [[7.0] * 9, [0.0, 1.0] * 9, [np.nan] * 9, [0, np.nan, 1]])
def test_fewer_than_three_values_have_no_bins(values: list[float], how: BinEdges) -> None:
    assert edges(values, bin_edges=how) == []


@pytest.mark.parametrize("scale", [np.exp, lambda values: 1e9 + values])
def test_the_edges_of_a_tree_are_where_the_target_changes(scale: Any) -> None:
    order = np.random.default_rng(2).permutation(40)
    values, y = scale(order / 10.0), np.where(order < 30, 5.0, 1.0) + 9.0 * (order < 11)
    expected = [scale(0), (scale(1.0) + scale(1.1)) / 2, (scale(2.9) + scale(3.0)) / 2, scale(3.9)]
    missing = np.append(values, [np.nan] * 9), np.append(y, [1e6] * 9)
    for column, target in ((values, y), missing):
        assert edges(column, target, bin_edges=BinEdges.tree, bins=3) == pytest.approx(
            expected, rel=1e-15
        )


def test_a_tree_is_of_the_target_as_it_is_learned() -> None:
    values, y = np.arange(40.0), np.repeat([1e-6, 1.0, 1e3, 1e3], 10)
    first = {
        scale: edges(values, y, bin_edges=BinEdges.tree, bins=2, scale_target=scale)[1]
        for scale in ScaleTarget
    }
    assert first == {ScaleTarget.none: 19.5, ScaleTarget.standardize: 19.5, ScaleTarget.log: 9.5}


def test_a_tree_has_no_bins_where_the_target_does_not_vary() -> None:
    assert edges(np.arange(40.0), np.ones(40), bin_edges=BinEdges.tree) == []


# Categories


def category(counts: dict[str | None, int], **changed: Any) -> Category:
    values = [name for name, count in counts.items() for _ in range(count)]
    one = fitted(values, Kind.category, **changed)
    assert isinstance(one, Category)
    return one


def test_rare_categories_are_one() -> None:
    counts: dict[str | None, int] = {"red": 300, "blue": 10, "pink": 9, "green": 1}
    assert category(counts) == Category(["blue", "red"], other=True)
    assert category(counts, min_category_count=9) == Category(["blue", "pink", "red"], other=True)
    assert category(counts, min_category_count=1) == Category(
        ["blue", "green", "pink", "red"], other=False
    )


def test_in_a_small_table_a_twentieth_of_the_rows_is_not_rare() -> None:
    assert category({"red": 58, "blue": 2}) == Category(["red"], other=True)
    assert category({"red": 57, "blue": 3}) == Category(["blue", "red"], other=False)
    assert category({"red": 1, "blue": 1}) == Category(["blue", "red"], other=False)


def test_of_very_many_categories_the_most_frequent_are_kept() -> None:
    counts: dict[str | None, int] = {"d": 20, "a": 20, "c": 30, "b": 20}
    assert category(counts, max_categories=3) == Category(["a", "b", "c"], other=True)
    assert category(counts, max_categories=4).other is False


def test_if_all_categories_are_rare_the_more_frequent_have_an_input_all_the_same() -> None:
    counts: dict[str | None, int] = {f"{number:02}": 5 for number in range(40)}
    assert category(counts) == Category(sorted(map(str, counts)), other=False)
    counts |= {"a": 9, "b": 4, "c": 1}
    names = [str(name) for name, count in counts.items() if count >= 5]
    assert category(counts) == Category(sorted(names), other=True)
    assert category(counts | {"d": 10}) == Category(["d"], other=True)
    assert len(category(counts, max_categories=3).categories) == 3


@given(st.lists(st.integers(1, 30), min_size=2, max_size=60))
def test_a_category_column_has_an_input_that_varies_unless_each_is_in_one_row(
    counts: list[int],
) -> None:
    one = category({str(number): count for number, count in enumerate(counts)})
    assert len(one.categories) + one.other > 1 or (max(counts) == 1 and len(counts) >= 40)


def test_a_missing_category_is_one_as_well() -> None:
    assert category({"red": 20, None: 10}) == Category(["", "red"], other=False)
    assert category({"red": 300, None: 1}) == Category(["red"], other=True)


@given(st.permutations([*"aabbccddee", None]), st.integers(1, 6))
def test_the_order_of_rows_does_not_matter(values: list[str | None], limit: int) -> None:
    ordered = sorted(values, key=str)
    made, again = (fitted(rows, Kind.category, max_categories=limit) for rows in (values, ordered))
    assert made == again


# Dates


def test_a_date_is_days_since_1970() -> None:
    one = fitted(["1970-01-02", "1970-01-04", None, "1970-01-12"], Kind.date)
    assert one == Date(3, missing_indicator=True, mean=5, std=one.std, clock=False)
    assert one.std == pytest.approx(np.sqrt((16 + 4 + 36) / 3))


@pytest.mark.parametrize("text", ["1970-01-01 12:00", "1969-12-31 12:00", "2024-02-29 00:00:01"])
def test_a_time_of_day_in_training_is_encoded(text: str) -> None:
    assert fitted(["2024-01-01", text], Kind.date).clock


def test_days_have_their_fraction_and_gaps_stay() -> None:
    when = pd.Series(["1970-01-02 06:00", "1969-12-31 12:00", None], dtype="datetime64[us]")
    np.testing.assert_array_equal(encoding_fit.in_days(when), [1.25, -0.5, np.nan])


def test_a_date_that_does_not_vary_is_only_centred() -> None:
    one = fitted(["2024-03-21"] * 3, Kind.date)
    assert (one.mean, one.std) == (19_803, 1)


# The target

Y = np.array([150.0, 3.5, 1e6, 42.0, 7.0])


@pytest.mark.parametrize("scale", ScaleTarget)
def test_what_is_learned_leads_back_to_the_target(scale: ScaleTarget) -> None:
    target = fitted_target(Y, scale)
    learned = target.scaled(Y)
    assert (learned.shape, learned.dtype) == ((5, 1), np.dtype("float32"))
    answered = target.unscaled(learned[:, 0])
    assert answered.dtype == np.dtype("float64")
    np.testing.assert_allclose(answered, Y, rtol=2e-6, atol=1e-6 * target.std)


@given(st.lists(st.floats(1e-3, 1e6), min_size=2, max_size=20), st.sampled_from(ScaleTarget))
def test_units_lead_back_for_any_target(values: list[float], scale: ScaleTarget) -> None:
    y = np.array(values)
    target = fitted_target(y, scale)
    answered = target.unscaled(target.scaled(y)[:, 0])
    np.testing.assert_allclose(answered, y, rtol=1e-5, atol=1e-6 * np.ptp(y))


def test_a_target_is_learned_with_mean_0_and_std_1_or_as_its_logarithm_or_itself() -> None:
    learned = fitted_target(Y, ScaleTarget.standardize).scaled(Y)
    assert (learned.mean(), learned.std()) == (pytest.approx(0, abs=1e-6), pytest.approx(1))
    logarithm = fitted_target(Y, ScaleTarget.log)
    np.testing.assert_allclose(
        logarithm.scaled(Y)[:, 0] * logarithm.std + logarithm.mean, np.log(Y), rtol=1e-6
    )
    assert fitted_target(Y, ScaleTarget.none) == Target("y")
    np.testing.assert_array_equal(Target("y").scaled(Y)[:, 0], Y.astype(np.float32))


def test_a_target_beyond_squaring_is_refused() -> None:
    with (
        np.errstate(over="ignore"),
        pytest.raises(UserError, match=r"^column 'y' varies so much that it cannot be stand"),
    ):
        fitted_target(np.array([1e200, -1e200]), ScaleTarget.standardize)


# All together

ENCODING = Encoding(
    {
        "Größe": Number(2.5, True, 1.5, 0.1),
        'a "b", c': Number(0.0, False, quantiles=[0.0, 1.0], levels=[-2.0, 2.0]),
        "plain": Number(0.0, False),
        "clipped": Number(0.0, False, 1.5, 0.1, smooth_clip=True),
        "binned": Number(0.0, True, 1.5, 0.1, edges=[-1.0, 0.0, 2.5]),
    },
    {"价格": Category(["", "rot", "größer"], other=True), "c": Category(["x"], other=False)},
    {
        "day": Date(19_803, False, 19_000.0, 100.0, clock=False),
        "time": Date(19_803.5, True, 19_000.0, 100.0, clock=True),
    },
    Target("Δy", log=True, mean=1 / 3, std=1e-9),
)


def test_inputs_are_named_after_their_columns() -> None:
    assert ENCODING.columns == [
        *["Größe", 'a "b", c', "plain", "clipped", "binned", "价格", "c", "day", "time"]
    ]
    assert ENCODING.names == [
        *["Größe", 'a "b", c', "plain", "clipped", "binned", "binned bin 1", "binned bin 2"],
        *["Größe is missing", "binned is missing"],
        *["价格 = (other)", "价格 = missing", "价格 = rot", "价格 = größer", "c = x"],
        *["day days", "day sine of year", "day cosine of year"],
        *["day sine of week", "day cosine of week"],
        *["time days", "time sine of year", "time cosine of year"],
        *["time sine of week", "time cosine of week", "time sine of day", "time cosine of day"],
        "time is missing",
    ]


def test_an_encoding_is_read_as_it_was_written(tmp_path: Path) -> None:
    ENCODING.write(tmp_path / "encoding.json")
    read = Encoding.read(tmp_path / "encoding.json")
    assert read == ENCODING
    assert read.names == ENCODING.names
    written = (tmp_path / "encoding.json").read_text("utf-8")
    assert "价格" in written
    assert json.loads(written)["target"]["name"] == "Δy"


def test_the_columns_come_in_the_order_of_the_features() -> None:
    train = pd.DataFrame({"b": [1.0, 2.0], "c": ["x", "y"], "a": [0.0, 1.0], "y": [0.0, 1.0]})
    kinds = {"a": Kind.boolean, "b": Kind.numeric, "c": Kind.category, "y": Kind.numeric}
    columns = Schema({name: Column(kind) for name, kind in kinds.items()})
    data = Data(path="table.csv", target="y")
    for names in (["a", "b", "c"], ["b", "a", "c"]):
        assert encoding_fit.fit_encoding(train, columns, names, data).columns == names
    assert encoding_fit.fit_encoding(train, columns, ["a"], data).columns == ["a"]


def test_the_encoding_of_each_column_is_described() -> None:
    assert encoding_fit.describe(ENCODING) == {
        "Größe": (
            "standardised by mean 1.5 and std 0.1; 2.5 where missing, with a missing indicator"
        ),
        'a "b", c': "mapped to the normal distribution by 2 quantiles",
        "plain": "unchanged",
        "clipped": "centred by 1.5, divided by 0.1, and smoothly clipped at 3",
        "binned": (
            "standardised by mean 1.5 and std 0.1, and piecewise linear in 2 bins from -1 to 2.5;"
            " 0 where missing, with a missing indicator"
        ),
        "价格": "one-hot: missing, rot, größer; one input for all other categories",
        "c": "one-hot: x",
        "day": "days, sine of year, cosine of year, sine of week, cosine of week",
        "time": (
            "days, sine of year, cosine of year, sine of week, cosine of week, sine of day,"
            " cosine of day, is missing; 2024-03-21 where missing, with a missing indicator"
        ),
        "Δy": "target: logarithm standardised by mean 0.333333 and std 1e-09",
    }


def test_an_unchanged_target_is_described() -> None:
    encoding = Encoding({}, {}, {}, Target("y"))
    assert encoding_fit.describe(encoding) == {"y": "target: unchanged"}
