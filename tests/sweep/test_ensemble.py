"""Ensembles are better than their best network, and ordinary Keras models."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.predictor import Predictor
from pipeline.network import archive, dense, encoder
from pipeline.network.backend import keras
from pipeline.sweep import ensemble
from tests.small import MLP, prepared

PREPARED = prepared()
ENCODING, TARGET = PREPARED.encoding, PREPARED.encoding.target
TABLE = PREPARED.parts["train"][["a", "b"]]
X = encoder.Encoder(ENCODING).x(TABLE)
COUNTS = [3, 1, 2]


def mse(predicted: np.ndarray, true: np.ndarray) -> float:
    return float(np.square(predicted - true).mean())


@pytest.fixture(scope="module")
def networks() -> list[keras.Sequential]:
    """Three networks of the same structure."""
    return [dense.build(MLP, 2, seed) for seed in (1, 2, 3)]


@pytest.fixture(scope="module")
def expected(networks: list[keras.Sequential]) -> np.ndarray:
    each = [one.predict(X, verbose=0)[:, 0] for one in networks]
    return np.average(each, axis=0, weights=COUNTS)


@given(seed=st.integers(0, 2**32 - 1), networks=st.integers(1, 8), rows=st.integers(1, 12))
def test_a_greedy_ensemble_is_never_worse_than_the_best_network(
    seed: int, networks: int, rows: int
) -> None:
    random = np.random.default_rng(seed)
    true = random.normal(size=rows)
    predictions = true + random.normal(size=(networks, rows)) * random.uniform(0.1, 2)
    counts = ensemble.greedy(predictions, true)
    mean = np.average(predictions, axis=0, weights=counts)
    assert mse(mean, true) <= min(mse(one, true) for one in predictions) * (1 + 1e-9)
    assert 1 <= counts.sum() <= ensemble.MAX_MEMBERS


def test_networks_with_opposite_errors_are_combined() -> None:
    true = np.zeros(3)
    predictions = np.array([[0.9, 0.9, 0.9], [1.0, 1.0, 1.0], [-1.0, -1.0, -1.0]])
    counts = ensemble.greedy(predictions, true)
    assert counts[2] > 0
    mean = np.average(predictions, axis=0, weights=counts)
    assert mse(mean, true) < 1e-3


def test_a_network_is_counted_as_often_as_it_helps() -> None:
    # The best mean is two parts of the first and one of the second.
    counts = ensemble.greedy(np.array([[1.0, 1.0], [-2.0, -2.0]]), np.zeros(2))
    assert counts.tolist() == [2, 1]


def test_a_network_without_error_is_alone() -> None:
    predictions = np.array([[5.0, 1.0], [1.0, 2.0], [1.0, 2.0]])
    assert ensemble.greedy(predictions, np.array([1.0, 2.0])).tolist() == [0, 1, 0]


def test_rounds_limit_the_number_of_members() -> None:
    predictions = np.random.default_rng(0).normal(size=(6, 5))
    assert ensemble.greedy(predictions, np.zeros(5), rounds=1).sum() == 1
    assert ensemble.greedy(predictions, np.zeros(5), rounds=3).sum() <= 3


def test_the_model_predicts_the_weighted_mean(
    networks: list[keras.Sequential], expected: np.ndarray
) -> None:
    model = ensemble.combine(networks, COUNTS)
    predicted = model.predict(X, verbose=0)[:, 0]
    np.testing.assert_allclose(predicted, expected, rtol=1e-5)
    (first,) = (ensemble.combine(networks[:1], [2]),)
    one = networks[0].predict(X, verbose=0)
    np.testing.assert_allclose(first.predict(X, verbose=0), one, rtol=1e-6)


def test_networks_of_different_structures_can_be_combined(networks: list[keras.Sequential]) -> None:
    linear = dense.build(MLP[1:], 2, seed=4)
    model = ensemble.combine([networks[0], linear], [1, 1])
    each = [one.predict(X, verbose=0) for one in (networks[0], linear)]
    predicted = model.predict(X, verbose=0)
    np.testing.assert_allclose(predicted, np.mean(each, axis=0), rtol=1e-5)


def test_keras_loads_the_saved_model(
    tmp_path: Path, networks: list[keras.Sequential], expected: np.ndarray
) -> None:
    path = tmp_path / "model.keras"
    archive.save(ensemble.combine(networks, COUNTS), path)
    loaded = keras.saving.load_model(path)
    predicted = loaded.predict(X, verbose=0)[:, 0]
    np.testing.assert_allclose(predicted, expected, rtol=1e-5)


def test_the_saved_model_predicts_tables(
    tmp_path: Path, networks: list[keras.Sequential], expected: np.ndarray
) -> None:
    combined = ensemble.combine(networks, COUNTS)
    whole = encoder.whole(encoder.layers(ENCODING), combined, TARGET)
    archive.save(whole, tmp_path / "model.keras")
    PREPARED.contract.write(tmp_path / "contract.json")
    ENCODING.write(tmp_path / "encoding.json")
    rows = TABLE.assign(note="ignored")[["b", "note", "a"]]
    predicted = Predictor(tmp_path).predict(rows)
    assert isinstance(predicted, pd.DataFrame)
    in_units = expected * TARGET.std + TARGET.mean
    assert predicted["predicted"].to_numpy() == pytest.approx(in_units, rel=1e-5)


def test_two_saves_are_the_same_file(tmp_path: Path, networks: list[keras.Sequential]) -> None:
    for name in ("one.keras", "other.keras"):
        archive.save(ensemble.combine(networks, COUNTS), tmp_path / name)
    assert (tmp_path / "one.keras").read_bytes() == (tmp_path / "other.keras").read_bytes()
