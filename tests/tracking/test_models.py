"""A logged model takes tables as read_csv gives them; what is none is named, and not run."""

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import mlflow
import pandas as pd
import pytest

from pipeline.dataset.encoding import Encoding, Number, Target
from pipeline.runtime.errors import UserError
from pipeline.schema.columns import Column, Schema
from pipeline.schema.contract import Contract
from pipeline.tracking.models import download, log_model
from pipeline.tracking.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [
    pytest.mark.usefixtures("own_environment"),
    # The test reads a model whose columns take any type, which MLflow warns of.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType"),
]
EXAMPLE = pd.DataFrame({"a": [1.5, 2.0], "b": [0.0, 1.0]})


def test_a_model_that_does_not_exist_is_named(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    uri = f"runs:/{store.create_run('plain', {}, {})}/model"
    with pytest.raises(UserError, match=f"^{uri}: cannot be loaded from MLflow: "):
        download(uri, tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model that adds up two columns."""
    from pipeline.config.data import Kind, Reading, Violations
    from pipeline.config.training import KernelInitializer, Layer
    from pipeline.network import archive, dense, encoder

    numbers = {"a": Number(3.0, False, 3.0, 0.5), "b": Number(0.0, False, -20.0, 40.0)}
    encoding = Encoding(numbers, {}, {}, Target("y", mean=100.0, std=7.0))
    schema = Schema({name: Column(Kind.numeric) for name in numbers})
    added_up = Layer(units=1, kernel_initializer=KernelInitializer.constant, kernel_value=1.0)
    folder = tmp_path / "model"
    folder.mkdir()
    built = dense.build([added_up], 2, seed=1)
    whole = encoder.whole(encoder.layers(encoding), built, encoding.target)
    archive.save(whole, folder / "model.keras")
    Contract("y", schema, Reading(), Violations()).write(folder / "contract.json")
    encoding.write(folder / "encoding.json")
    return folder


def test_a_logged_model_takes_a_table_as_read_csv_gives_it(
    tmp_path: Path, store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.evaluation.prediction_intervals import Intervals

    # Loading puts the logged copy of the code on the path.
    monkeypatch.setattr(sys, "path", [*sys.path])
    hashed = hashlib.md5((folder / "model.keras").read_bytes(), usedforsecurity=False).hexdigest()
    (tmp_path / "evaluation").mkdir()
    Intervals(0.9, 20, 2.0, log=False, predictions=[0.0], scales=[3.0], model=hashed).write(
        tmp_path / "evaluation"
    )
    run_id = store.create_run("plain", {}, {})
    # A recorder must not import Keras for it.
    with mock.patch("mlflow.pyfunc.load_model", side_effect=AssertionError):
        log_model(store, run_id, folder, EXAMPLE)

    (tmp_path / "rows.csv").write_text("b,name,a\n-20,x,3\n60,y,4\n", "utf-8")
    loaded = mlflow.pyfunc.load_model(f"runs:/{run_id}/model")
    assert loaded.metadata.saved_input_example_info is not None
    answers = pd.DataFrame(loaded.predict(pd.read_csv(tmp_path / "rows.csv")))
    assert list(answers.columns) == ["predicted", "lower", "upper", "flags"]
    assert answers["predicted"].tolist() == pytest.approx([100.0, 128.0])
    assert answers["lower"].tolist() == pytest.approx([94.0, 122.0])
    assert answers["upper"].tolist() == pytest.approx([106.0, 134.0])
    assert loaded.metadata.signature.outputs.input_names() == list(answers.columns)
    # Without MLflow's own loading, which runs code that is logged with a model.
    with mock.patch("mlflow.pyfunc.load_model", side_effect=AssertionError):
        (tmp_path / "downloaded").mkdir()
        copy = download(f"runs:/{run_id}/model", tmp_path / "downloaded")
    files = ("model.keras", "contract.json", "encoding.json", "intervals.json")
    assert sorted(files) == sorted(path.name for path in copy.iterdir())
    assert (copy / "model.keras").read_bytes() == (folder / "model.keras").read_bytes()


def test_no_command_runs_what_somebody_has_put_into_a_logged_model(
    tmp_path: Path, store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline import load, predict, serve
    from pipeline.network.backend import keras

    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    run_id = store.create_run("plain", {}, {})
    log_model(store, run_id, folder, EXAMPLE)
    mlflow.register_model(f"runs:/{run_id}/model", "sums")
    store.client.set_registered_model_alias("sums", "champion", "1")
    (logged,) = (path.parent for path in tmp_path.glob("mlruns/**/MLmodel"))
    (tmp_path / "rows.csv").write_text("a,b\n3,60\n", "utf-8")
    canary = tmp_path / "canary"
    touch = f"__import__('pathlib').Path({str(canary)!r}).touch()"
    for file in ("__init__", "evaluation/predictor"):
        (logged / f"code/pipeline/{file}.py").write_text(touch, "utf-8")
    (logged / "python_model.pkl").write_bytes(b"cbuiltins\nexec\n(V" + touch.encode() + b"\ntR.")
    champion = "models:/sums@champion"
    rows = pd.DataFrame({"a": [3], "b": [60]})
    assert load(champion).predict(rows)["predicted"].tolist() == pytest.approx([114.0])
    assert not canary.exists()

    layer = keras.layers.Lambda(lambda x: eval(touch) or x)  # noqa: S307 - it is not to run
    keras.Sequential([keras.Input((1,)), layer]).save(logged / "data/model/model.keras")
    canary.unlink()  # Keras calls the layer that it saves
    commands: dict[str, Callable[[str], object]] = {
        champion: lambda uri: predict.main("rows.csv", uri, Path("predictions.csv")),
        "models:/sums/1": lambda uri: serve.main(uri, 0),
        f"runs:/{run_id}/model": load,
    }
    for uri, command in commands.items():
        with pytest.raises(UserError, match=f"^{uri}/model.keras: names keras.layers.Lambda, "):
            command(uri)
    assert not (tmp_path / "predictions.csv").exists()
    assert not canary.exists()


def test_a_model_of_another_library_is_refused_and_its_code_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    canary = tmp_path / "canary"
    (tmp_path / "foreign" / "code").mkdir(parents=True)
    code = f"from pathlib import Path\nPath({str(canary)!r}).touch()\n"
    (tmp_path / "foreign" / "code" / "stranger.py").write_text(code, "utf-8")
    (tmp_path / "foreign" / "MLmodel").write_text(
        "flavors: {python_function: {loader_module: stranger, code: code}}\n", "utf-8"
    )
    uri = (tmp_path / "foreign").as_uri()
    (tmp_path / "downloaded").mkdir()
    with pytest.raises(UserError, match=f"^{uri}: is not a model of this pipeline$"):
        download(uri, tmp_path / "downloaded")
    assert not canary.exists()


@pytest.mark.parametrize("content", ["", "[]", "a: b", "flavors: []", "{", "\0"])
def test_a_damaged_model_is_named(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "MLmodel").write_text(content, "utf-8")
    (tmp_path / "downloaded").mkdir()
    monkeypatch.chdir(tmp_path)
    uri = (tmp_path / "damaged").as_uri()
    with pytest.raises(UserError, match=f"^{uri}: (cannot be loaded from MLflow|is not a model)"):
        download(uri, tmp_path / "downloaded")
