"""The encoding as layers, and the model that is saved with them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.config.training import Activation, Layer
from pipeline.dataset.encoding import Category, Date, Encoding, Number, Target
from pipeline.dataset.rows import Array
from pipeline.network import archive, dense, encoder
from pipeline.network.backend import keras, tf
from pipeline.network.encoder import Encoder
from pipeline.preparation import encoding_fit

Y = Target("y", mean=100.0, std=7.0)
ENCODING = Encoding(
    {
        "filled": Number(2.5, True, 1.5, 0.25),
        "Preis (€) 'in' \"x.y\"/z": Number(0.0, False, 3e5, 1e4),
        "curved": Number(4.0, True, quantiles=[-1.0, 0.0, 0.5, 8.0], levels=[-2.3, -1, 0.2, 2.3]),
        "constant": Number(5.0, False, quantiles=[5.0], levels=[0.1]),
        "flag": Number(1.0, True, 0.75, 0.4),
        "clipped": Number(3.0, True, 2.0, 0.5, smooth_clip=True),
        "two bins": Number(1.0, True, 0.5, 2.0, edges=[-1.0, 0.0, 4.0]),
        "three bins": Number(5.0, False, 0.5, 2.0, edges=[0.0, 1e-3, 10.0, 1e4]),
    },
    {
        "颜色": Category(["", "blue", "größer", "red"], other=True),
        "common": Category(["[UNK]", "a", "b"], other=False),
        "rare": Category([], other=True),
    },
    {
        "day": Date(19_803.0, False, 19_000.0, 300.0, clock=False),
        "a.time": Date(19_803.5, True, 19_000.0, 300.0, clock=True),
    },
    Y,
)
NAN = np.nan
TABLE = pd.DataFrame(
    {
        "a.time": ["2024-03-21 17:30:59", "1969-12-31 23:59:59", None, "2100-01-01"] * 2,
        "rare": ["x", None, "", "(none)", "y", "y", "[UNK]", "a\nb"],
        "filled": [1.5, NAN, -3.0, 1e30, NAN, 2.5, 0.0, -0.0],
        "y": np.arange(8.0),
        "颜色": ["red", "blue", None, "größer", "pink", "", "(other)", "[UNK]"],
        "Preis (€) 'in' \"x.y\"/z": [3e5, 0.0, -1e7, 310_000.5, 1.0, 2.0, 3.0, 4.0],
        "flag": [0.0, 1.0, NAN, 1.0, 0.0, 0.0, 1.0, NAN],
        "clipped": [2.0, NAN, -1e30, 3.5, 0.0, 2.5, 9.0, -9.0],
        "two bins": [-9.0, -1.0, -0.25, 0.0, NAN, 3.0, 4.0, 1e30],
        "three bins": [5e-4, 0.0, NAN, 1e-3, 9.0, 11.0, 1e4, 1e9],
        "curved": [-9.0, -1.0, -0.25, 0.0, 0.3, 7.0, NAN, 1e30],
        "other": [object()] * 8,
        "constant": [5.0, 4.0, 6.0, NAN, 5.0, 5.0, 5.0, 5.0],
        "common": ["a", "b", "[UNK]", None, "pink", "", "A", "a "],
        "day": [
            *["2024-02-29", "2000-02-29", "1900-03-01", "1970-01-01", "2023-12-31"],
            *["1582-10-15", "9999-12-31", "0001-01-01"],
        ],
    }
).astype({"颜色": "str", "common": "str", "rare": "str"})
TABLE = TABLE.assign(
    **{
        name: pd.to_datetime(TABLE[name], format="ISO8601").astype("datetime64[us]")
        for name in ("day", "a.time")
    }
)


def by_hand(table: pd.DataFrame, encoding: Encoding) -> Array:
    """The network's inputs, one after the other, without Keras."""
    made: dict[str, Any] = {}
    for name, number in encoding.numbers.items():
        filled = table[name].fillna(number.fill).to_numpy()
        made[name] = (filled - number.mean) / number.std
        if number.quantiles:
            made[name] = np.interp(filled, number.quantiles, number.levels)
        if number.smooth_clip:
            made[name] = made[name] / np.sqrt(1 + (made[name] / 3) ** 2)
        for index in range(1, len(number.edges)):
            low, high = number.edges[index - 1 : index + 1]
            made[f"{name} bin {index}"] = np.clip((filled - low) / (high - low), 0, 1)
        if number.missing_indicator:
            made[f"{name} is missing"] = table[name].isna()
    for name, one in encoding.categories.items():
        texts = table[name].fillna("")
        for category in one.categories:
            made[f"{name} = {category or 'missing'}"] = texts == category
        made[f"{name} = (other)"] = ~texts.isin(one.categories)
    for name, date in encoding.dates.items():
        days = pd.Series(encoding_fit.in_days(table[name])).fillna(date.fill).to_numpy()
        made[f"{name} days"] = (days - date.mean) / date.std
        # 1970-01-01 was a Thursday: four days before that, a Sunday.
        turns = {"year": days / 365.2425, "week": (days + 4) / 7, "day": days}
        for circle, turn in turns.items():
            made[f"{name} sine of {circle}"] = np.sin(2 * np.pi * turn)
            made[f"{name} cosine of {circle}"] = np.cos(2 * np.pi * turn)
        made[f"{name} is missing"] = table[name].isna()
    blocks = [np.asarray(made[name], np.float64) for name in encoding.names]
    return np.stack(blocks, axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def encode() -> Encoder:
    return Encoder(ENCODING)


def encoded(table: pd.DataFrame, **sides: dict[str, Any]) -> Array:
    """The encoded rows of a table, for an encoding of these columns only."""
    usual: dict[str, Any] = {"numbers": {}, "categories": {}, "dates": {}}
    return Encoder(Encoding(**(usual | sides), target=Y)).x(table)


# The network's inputs


def test_every_input_is_the_one_computed_by_hand(encode: Encoder) -> None:
    x = encode.x(TABLE)
    assert (x.shape, x.dtype) == ((8, len(ENCODING.names)), np.dtype("float32"))
    expected = by_hand(TABLE, ENCODING)
    for index, name in enumerate(ENCODING.names):
        np.testing.assert_allclose(
            x[:, index], expected[:, index], rtol=3e-7, atol=1e-6, err_msg=name
        )


def test_inputs_of_0_or_1_and_standardised_numbers_are_exact(encode: Encoder) -> None:
    exact = [
        index
        for index, name in enumerate(ENCODING.names)
        if " = " in name or name.endswith("is missing") or name in ("filled", "flag")
    ]
    np.testing.assert_array_equal(encode.x(TABLE)[:, exact], by_hand(TABLE, ENCODING)[:, exact])


def test_order_and_other_columns_do_not_matter(encode: Encoder) -> None:
    table = TABLE[ENCODING.columns[::-1]]
    np.testing.assert_array_equal(encode.x(table), encode.x(TABLE))


def test_a_row_is_encoded_independently_of_others(encode: Encoder) -> None:
    together = encode.x(TABLE)
    for index in (0, 2, 7):
        np.testing.assert_array_equal(encode.x(TABLE.iloc[[index]])[0], together[index])


@pytest.mark.parametrize("at_once", [1, 3, 8])
def test_blocks_of_rows_make_no_difference(
    encode: Encoder, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    whole = encode.x(TABLE)
    monkeypatch.setattr(encoder, "ROWS_AT_ONCE", at_once)
    np.testing.assert_array_equal(encode.x(TABLE), whole)


def test_no_rows_are_encoded_in_the_usual_shape(encode: Encoder) -> None:
    part = encode.part(TABLE.iloc[:0])
    assert (part.x.shape, part.y.shape) == ((0, len(ENCODING.names)), (0, 1))


def test_a_part_has_the_target_as_it_is_learned(encode: Encoder) -> None:
    part = encode.part(TABLE)
    np.testing.assert_array_equal(part.x, encode.x(TABLE))
    np.testing.assert_allclose(part.y[:, 0], (np.arange(8.0) - 100) / 7, rtol=1e-6)
    assert part.y.dtype == np.dtype("float32")


def test_numbers_far_from_0_and_close_together_keep_their_digits() -> None:
    table = pd.DataFrame({"a": [1e9, 1e9 + 1, 1e9 + 0.25]})
    for one in (
        Number(0.0, False, 1e9, 0.5),
        Number(0.0, False, quantiles=[1e9, 1e9 + 1], levels=[0.0, 2.0]),
    ):
        assert encoded(table, numbers={"a": one})[:, 0].tolist() == [0.0, 2.0, 0.5]
    bins = Number(0.0, False, edges=[1e9, 1e9 + 0.5, 1e9 + 1])
    assert encoded(table, numbers={"a": bins})[:, 1:].tolist() == [[0, 0], [1, 1], [0.5, 0]]


def test_numbers_with_and_without_quantiles_can_be_combined() -> None:
    numbers = {
        "line": Number(0.0, False, 1.0, 2.0),
        "curve": Number(0.0, False, quantiles=[0.0, 1.0, 3.0], levels=[-1.0, 0.0, 1.0]),
    }
    table = pd.DataFrame({"line": [-99.0, 99.0], "curve": [-99.0, 2.0]})
    assert encoded(table, numbers=numbers).tolist() == [[-50.0, -1.0], [49.0, 0.5]]


@pytest.mark.parametrize("count", [2, 7, 101])
def test_numbers_are_interpolated_linearly_between_quantiles(count: int) -> None:
    random = np.random.default_rng(count)
    quantiles, levels = (np.sort(random.lognormal(size=count)).tolist() for _ in range(2))
    values = np.concatenate([random.lognormal(sigma=2, size=500), quantiles, [-1.0, 1e6]])
    x = encoded(
        pd.DataFrame({"a": values}),
        numbers={"a": Number(0.0, False, quantiles=quantiles, levels=levels)},
    )
    np.testing.assert_allclose(x[:, 0], np.interp(values, quantiles, levels), rtol=1e-6)


NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False)


@settings(max_examples=20)
@given(
    st.lists(NUMBERS, min_size=2, max_size=30, unique=True).map(sorted),
    st.lists(NUMBERS, min_size=1).map(sorted),
)
def test_the_bins_below_a_value_are_full_and_those_above_it_empty(
    edges: list[float], values: list[float]
) -> None:
    table = pd.DataFrame({"a": [*values, edges[0] - 1, *edges, edges[-1] + 1]}).sort_values("a")
    bins = encoded(table, numbers={"a": Number(0.0, False, edges=edges)})[:, 1:]
    assert ((bins >= 0) & (bins <= 1)).all()
    assert (np.diff(bins, axis=0) >= 0).all()
    assert (np.diff(bins, axis=1) <= 0).all()
    ranks = np.interp(table["a"], edges, np.arange(len(edges)))
    np.testing.assert_allclose(bins.sum(axis=1, dtype=np.float64), ranks, atol=1e-5)


@settings(max_examples=20)
@given(NUMBERS, st.floats(1e-3, 1e6), st.lists(NUMBERS, min_size=1).map(sorted))
def test_a_clipped_number_ascends_between_3_and_its_opposite(
    center: float, scale: float, values: list[float]
) -> None:
    numbers = {"a": Number(0.0, False, center, scale, smooth_clip=True)}
    x = encoded(pd.DataFrame({"a": [-3e38, *values, 3e38]}), numbers=numbers)[:, 0]
    assert (np.diff(x) >= 0).all()
    assert (x[0], x[-1]) == (-3, 3)
    near = pd.DataFrame({"a": [center, center + scale / 100]})
    np.testing.assert_allclose(encoded(near, numbers=numbers)[:, 0], [0, 0.01], rtol=1e-4)


@pytest.mark.parametrize("first", ["", "[UNK]", "(none)", "a\nb", " "])
def test_a_category_may_have_any_name(first: str) -> None:
    table = pd.DataFrame({"a": [first, "z", "unseen"]}, dtype="str")
    x = encoded(table, categories={"a": Category([first, "z"], other=True)})
    assert x.tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
    x = encoded(table, categories={"a": Category([first, "z"], other=False)})
    assert x.tolist() == [[1, 0], [0, 1], [0, 0]]


# Dates


def dated(when: Any, *, clock: bool) -> Array:
    """Of dates: days since 2000-01-01, and the waves."""
    table = pd.DataFrame({"a": pd.Series(when).astype("datetime64[us]")})
    return encoded(table, dates={"a": Date(0.0, True, 10_957.0, 1.0, clock=clock)})


def test_every_day_of_two_centuries_is_counted() -> None:
    when = pd.date_range("1900-01-01", "2100-12-31", unit="us")
    x = dated(when, clock=False)
    assert x[:, 0].tolist() == list(range(-36_524, -36_524 + len(when)))
    assert (pd.Timestamp("2000-01-01") - when[0]).days == 36_524


def test_times_of_day_are_encoded_to_the_second() -> None:
    random = np.random.default_rng(2)
    start = np.datetime64("1900-01-01T00:00:00", "s")
    when = start + random.integers(0, 201 * 365 * 86_400, 3000).astype("timedelta64[s]")
    days = encoding_fit.in_days(pd.Series(when).astype("datetime64[us]"))
    x = dated(when, clock=True)
    np.testing.assert_array_equal(x[:, 0], (days - 10_957).astype(np.float32))
    seconds = np.arctan2(x[:, 5], x[:, 6]).astype(np.float64) / (2 * np.pi) * 86_400 % 86_400
    np.testing.assert_allclose(seconds, days % 1 * 86_400, atol=0.1)


def test_waves_have_periods_of_a_week_and_a_day() -> None:
    x = dated(["2024-03-21 06:00", "2024-03-28 06:00", "2024-03-22 06:00"], clock=True)
    week, day = slice(3, 5), slice(5, 7)
    np.testing.assert_allclose(x[0, week], x[1, week], atol=1e-6)
    assert np.abs(x[0, week] - x[2, week]).max() > 0.5
    np.testing.assert_allclose(x[:, day], [[1.0, 0.0]] * 3, atol=1e-6)


def test_times_of_day_have_no_calendar() -> None:
    times = pd.DataFrame({"a": pd.to_datetime(["1970-01-01 06:00", "1970-01-01 18:00"])})
    date = Date(0.0, False, 0.5, 0.25, clock=True, calendar=False)
    x = encoded(times, dates={"a": date})
    np.testing.assert_allclose(x, [[-1, 1, 0], [1, -1, 0]], atol=1e-6)


def test_a_missing_date_is_filled_and_indicated() -> None:
    x = dated([None, "1970-01-01"], clock=False)
    np.testing.assert_array_equal(x[0, :-1], x[1, :-1])
    assert x[:, -1].tolist() == [1.0, 0.0]


# The model that is saved


def trained(encoding: Encoding) -> keras.Sequential:
    """A network whose prediction depends on each input."""
    layers = [Layer(units=4, activation=Activation.tanh), Layer(units=1)]
    return dense.build(layers, len(encoding.names), seed=3)


def saved(model: keras.Model, folder: Path) -> keras.Model:
    """The model, saved and loaded by Keras alone."""
    archive.save(model, folder / "model.keras")
    return keras.models.load_model(folder / "model.keras", safe_mode=True)


def fed(table: pd.DataFrame, encoding: Encoding) -> dict[str, Any]:
    """The columns as a user of the saved model alone passes them."""
    columns: dict[str, Any] = {}
    for name in encoding.columns:
        key = name.replace("/", "\N{DIVISION SLASH}")
        if name in encoding.numbers:
            columns[key] = tf.constant(table[name].to_numpy("float64"))
        elif name in encoding.categories:
            columns[key] = tf.constant(table[name].fillna("").tolist())
        else:
            texts = [day.isoformat() if pd.notna(day) else "" for day in table[name]]
            columns[key] = tf.constant(texts)
    return columns


def answers(model: keras.Model, columns: Any) -> NDArray[Any]:
    return np.asarray(model.predict(columns, verbose=0))


TARGETS = {
    "none": Target("y"),
    "standardize": Target("y", mean=1e9, std=0.5),
    "log": Target("y", log=True),
    "log and standardize": Target("y", log=True, mean=-3.0, std=2.0),
}


def test_the_saved_model_answers_raw_rows_in_the_target_s_units(
    encode: Encoder, tmp_path: Path
) -> None:
    learned = trained(ENCODING)
    model = saved(encoder.whole(encode.model, learned, Y), tmp_path)
    columns = fed(TABLE, ENCODING)
    assert list(columns)[1] == "Preis (€) 'in' \"x.y\"\N{DIVISION SLASH}z"
    assert [one.name for one in model.inputs] == list(columns)
    answered = answers(model, columns)
    assert (answered.shape, answered.dtype) == ((8, 1), np.dtype("float64"))
    expected = Y.unscaled(answers(learned, encode.x(TABLE))[:, 0])
    np.testing.assert_allclose(answered[:, 0], expected, rtol=1e-5)
    assert np.ptp(answered) > 1

    turned = dict(reversed(columns.items())) | {"other": tf.constant(["x"] * 8)}
    np.testing.assert_array_equal(answers(model, turned), answered)
    listed = [tf.expand_dims(column, -1) for column in columns.values()]
    np.testing.assert_allclose(model(listed), answered, rtol=1e-5)
    np.testing.assert_array_equal(model(encoder.inputs(TABLE, ENCODING)), model(listed))


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
def test_the_target_has_its_own_units_and_their_digits(target: Target, tmp_path: Path) -> None:
    encoding = Encoding({"a": Number(0.0, False)}, {}, {}, target)
    encode, learned = Encoder(encoding), trained(encoding)
    model = saved(encoder.whole(encode.model, learned, target), tmp_path)
    table = pd.DataFrame({"a": [-1.0, 0.5, 2.0]})
    answered = model.predict_on_batch({"a": tf.constant(table["a"].to_numpy())})
    # Compiled like the saved model: an eager call may differ in the last bit of float32.
    expected = target.unscaled(learned.predict_on_batch(encode.x(table))[:, 0])
    np.testing.assert_allclose(answered[:, 0], expected, rtol=1e-14 if target.mean else 1e-6)
    in_float64 = target != Target("y")
    assert answered.dtype == np.dtype("float64" if in_float64 else "float32")


def test_the_saved_model_keeps_the_digits_of_numbers_far_from_0(tmp_path: Path) -> None:
    encoding = Encoding({"a": Number(0.0, False, 1e9, 1.0)}, {}, {}, Target("y"))
    one = dense.build([Layer(units=1)], 1, seed=1)
    model = saved(encoder.whole(Encoder(encoding).model, one, Target("y")), tmp_path)
    columns = {"a": tf.constant([1e9, 1e9 + 1], tf.float64)}
    kernel = float(np.asarray(one.weights[0])[0, 0])
    for answered in (model.predict_on_batch(columns), np.asarray(model(columns))):
        assert answered[:, 0].tolist() == [0.0, kernel]


def test_a_date_without_a_time_is_midnight_to_the_saved_model(tmp_path: Path) -> None:
    encoding = replace(ENCODING, numbers={}, categories={})
    model = saved(encoder.whole(encoder.layers(encoding), trained(encoding), Y), tmp_path)
    short, long = (
        answers(model, {"day": tf.constant([text]), "a.time": tf.constant([text])})
        for text in ("2024-03-21", "2024-03-21T00:00:00")
    )
    np.testing.assert_array_equal(short, long)


def test_a_column_may_be_called_as_a_layer_or_an_operation_is() -> None:
    keras.backend.clear_session()
    names = ["cast", "isnan", "where", "string_lookup", "concatenate", "encoder", "model"]
    encoding = Encoding(
        {name: Number(0.0, True) for name in names},
        {"network": Category(["x"], other=True)},
        {"target_units": Date(0.0, False, 0.0, 1.0, clock=True)},
        Target("y", log=True, mean=1.0),
    )
    model = encoder.whole(encoder.layers(encoding), trained(encoding), encoding.target)
    assert [one.name for one in model.inputs] == [
        *names[:5], "encoder_", "model", "network_", "target_units_",
    ]  # fmt: skip


def test_a_saved_model_with_inputs_returns_both_encoded_rows_and_predictions(
    encode: Encoder, tmp_path: Path
) -> None:
    model = saved(encoder.whole(encode.model, trained(ENCODING), Y), tmp_path)
    columns = encoder.inputs(TABLE, ENCODING)
    x, predicted = encoder.with_inputs(model, ENCODING)(columns)
    np.testing.assert_array_equal(x, encode.x(TABLE))
    np.testing.assert_array_equal(predicted, model(columns))


def test_the_mean_of_folds_is_encoded_by_the_encoding_of_all_rows(
    encode: Encoder, tmp_path: Path
) -> None:
    other = replace(ENCODING, target=replace(Y, mean=3.0))
    models = [
        encoder.whole(encoder.layers(one), trained(one), one.target, name)
        for one, name in ((ENCODING, "fold_1"), (other, "fold_2"))
    ]
    mean = saved(encoder.mean_of(models), tmp_path)
    columns = encoder.inputs(TABLE, ENCODING)
    x, predicted = encoder.with_inputs(mean, ENCODING)(columns)
    np.testing.assert_array_equal(x, encode.x(TABLE))
    expected = [np.asarray(model(columns)) for model in models]
    np.testing.assert_allclose(predicted, np.mean(expected, axis=0), rtol=1e-6)
    assert [one.name for one in encoder.folds_of(mean)] == ["fold_1", "fold_2"]
    assert encoder.folds_of(models[0]) == []
    assert [one.name for one in mean.inputs] == [one.name for one in models[0].inputs]


def test_only_kernels_and_biases_of_a_saved_model_are_trainable(encode: Encoder) -> None:
    model = encoder.whole(encode.model, trained(ENCODING), Y)
    shapes = [tuple(variable.shape) for variable in model.trainable_variables]
    assert shapes == [(len(ENCODING.names), 4), (4,), (4, 1), (1,)]


def test_a_column_that_did_not_vary_in_training_is_0(tmp_path: Path) -> None:
    std = encoding_fit.BEYOND_SCALE
    encoding = Encoding(
        {"a": Number(0.0, True, std=std), "b": Number(0.0, False, 1.0, 2.0)},
        {},
        {"day": Date(0.0, True, 9.0, std, clock=False)},
        Y,
    )
    table = pd.DataFrame(
        {"a": [NAN, 3e38, -5.0], "b": [1.0, 3.0, 5.0],
         "day": pd.Series(["9999-12-31", None, "1970-01-10"], dtype="datetime64[s]")}
    )  # fmt: skip
    model = saved(encoder.whole(encoder.layers(encoding), trained(encoding), Y), tmp_path)
    x, _ = encoder.with_inputs(model, encoding)(encoder.inputs(table, encoding))
    np.testing.assert_array_equal(x, Encoder(encoding).x(table))
    inputs = dict(zip(encoding.names, np.asarray(x).T, strict=True))
    np.testing.assert_array_equal(inputs["a"], [0, 0, 0])
    np.testing.assert_array_equal(inputs["day days"], [0, 0, 0])
    np.testing.assert_array_equal(inputs["b"], [0, 1, 2])
    np.testing.assert_array_equal(inputs["a is missing"], [1, 0, 0])
