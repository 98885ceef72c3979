"""Ensembles are better than their best network, and ordinary Keras models."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.data import ScaleInputs, ScaleTarget
from pipeline.config.training import Layer
from pipeline.dataset.encoding import Encoding
from pipeline.evaluation.predictor import Predictor
from pipeline.network import archive, dense
from pipeline.network.backend import keras
from pipeline.network.encoder import Encoder, folds_of, inputs
from pipeline.network.model_folder import TrainedNetwork
from pipeline.sweep import ensemble
from pipeline.sweep.encodings import fit
from tests.small import MLP, experiment, prepared, with_log_target

Member = list[TrainedNetwork]

PREPARED = prepared()
ENCODING = PREPARED.encoding
TABLE = PREPARED.parts["train"][["a", "b"]]
POSITIVE = with_log_target(PREPARED)
BINNED = replace(
    experiment().data, scale_inputs=ScaleInputs.piecewise, scale_target=ScaleTarget.log, bins=4
)
COUNTS = [3, 1, 2]


def mse(predicted: np.ndarray, true: np.ndarray) -> float:
    return float(np.square(predicted - true).mean())


def network(seed: int, layers: Sequence[Layer] = MLP, encoding: Encoding = ENCODING) -> Member:
    """A member of one network, as if it were trained."""
    inputs = len(encoding.names)
    weights = dense.initial_weights(layers, inputs, seed)
    return [TrainedNetwork(Encoder(encoding), layers, seed, weights, pd.DataFrame())]


def alone(member: Member) -> np.ndarray:
    """What the network of a member predicts of the table, in the units of the target."""
    (one,) = member
    encode = one.encoder
    scaled = np.asarray(one.trained()(encode.x(TABLE)))[:, 0]
    return encode.encoding.target.unscaled(scaled)


def predicted(model: keras.Model) -> np.ndarray:
    return np.asarray(model(inputs(TABLE, ENCODING)))[:, 0]


MEMBERS = [network(seed) for seed in (1, 2, 3)]
EXPECTED = np.average([alone(one) for one in MEMBERS], axis=0, weights=COUNTS)
LINEAR = network(4, MLP[1:])
# Bins, and a logarithm of the target.
OTHER = network(5, encoding=fit(POSITIVE, BINNED).encoding)


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


def test_the_model_predicts_the_weighted_mean() -> None:
    np.testing.assert_allclose(predicted(ensemble.model(MEMBERS, COUNTS)), EXPECTED, rtol=1e-6)
    (first, *_) = MEMBERS
    np.testing.assert_allclose(predicted(ensemble.model([first], [2])), alone(first), rtol=1e-6)


@pytest.mark.parametrize("folds", [1, 3])
@pytest.mark.parametrize("other", [LINEAR, OTHER], ids=["structure", "encoding"])
def test_members_of_another_structure_or_encoding_are_combined(other: Member, folds: int) -> None:
    model = ensemble.model([other * folds, MEMBERS[0] * folds, MEMBERS[1] * folds], [2, 1, 1])
    each = [alone(one) for one in (other, *MEMBERS[:2])]
    expected = np.average(each, axis=0, weights=[2, 1, 1])
    np.testing.assert_allclose(predicted(model), expected, rtol=1e-6)
    assert [one.name for one in folds_of(model)] == [
        f"fold_{number}" for number in range(1, folds + 1) if folds > 1
    ]


def test_keras_alone_loads_the_saved_model(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    members = [OTHER, *MEMBERS]
    archive.save(ensemble.model(members, [1, *COUNTS]), path)
    expected = np.average([alone(one) for one in members], axis=0, weights=[1, *COUNTS])
    loaded = keras.saving.load_model(path, compile=False, safe_mode=True)
    np.testing.assert_allclose(predicted(loaded), expected, rtol=1e-6)


def test_the_saved_model_predicts_tables(tmp_path: Path) -> None:
    archive.save(ensemble.model(MEMBERS, COUNTS), tmp_path / "model.keras")
    PREPARED.contract.write(tmp_path / "contract.json")
    ENCODING.write(tmp_path / "encoding.json")
    rows = TABLE.assign(note="ignored")[["b", "note", "a"]]
    answered = Predictor(tmp_path).predict(rows)
    assert isinstance(answered, pd.DataFrame)
    assert answered["predicted"].to_numpy() == pytest.approx(EXPECTED, rel=1e-6)


def test_two_saves_are_the_same_file(tmp_path: Path) -> None:
    for name in ("one.keras", "other.keras"):
        archive.save(ensemble.model([OTHER, *MEMBERS], [1, *COUNTS]), tmp_path / name)
    assert (tmp_path / "one.keras").read_bytes() == (tmp_path / "other.keras").read_bytes()
