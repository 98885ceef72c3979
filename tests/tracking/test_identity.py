"""The name of a run, and the tags by which it is found."""

import pytest

from pipeline.tracking.identity import Identity, of_training, table_name
from tests.small import experiment


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("data/raw/houses.csv", "houses"),
        ("data/raw/houses.2026.csv.gz", "houses"),
        ("/elsewhere/My houses (new).parquet", "My-houses-new"),
        ("data/raw/straßen", "straßen"),
        ("data/raw/parts/", "parts"),
        ("data/raw/20*.csv", "20"),
        ("data/raw/*.csv", "raw"),
        ("sklearn:diabetes", "diabetes"),
        ("./.hidden.csv", "table"),
    ],
)
def test_a_table_is_called_after_its_file_or_folder(path: str, name: str) -> None:
    assert table_name(path) == name


def test_a_run_is_called_after_its_table_model_and_optimizer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    config = experiment()
    config.data.path = "data/raw/houses.csv"
    config.conf.model, config.conf.optimizer = "mlp", "adam"
    who = of_training(config, "0123456789")
    assert who == Identity("0123456789", "houses-mlp-adam", None)
    assert who.run_name == "houses-mlp-adam-012345"
    assert who.tags == {"fingerprint": "0123456789"}


def test_a_run_of_an_experiment_of_dvc_s_has_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "brisk-dive")
    who = of_training(experiment(), "0123456789")
    assert who.run_name == "brisk-dive"
    assert who.tags == {"fingerprint": "0123456789", "dvc.exp_name": "brisk-dive"}
