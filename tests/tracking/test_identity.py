"""What a run is called, and by what it is known."""

import pytest

from pipeline.tracking import identity, provenance
from pipeline.tracking.fingerprint import Fingerprint
from pipeline.tracking.identity import Identity, table_name
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
    monkeypatch.setattr(
        provenance, "of_stage", lambda stage: Fingerprint(f"0123456789-{stage}", {}, {})
    )
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    config = experiment()
    config.data.path = "data/raw/houses.csv"
    config.conf.model, config.conf.optimizer = "mlp", "adam"
    who = identity.of_training(config)
    assert who == Identity("0123456789-train", "houses-mlp-adam", None)
    assert who.run_name == "houses-mlp-adam-012345"
    monkeypatch.setenv("DVC_EXP_NAME", "brisk-dive")
    assert identity.of_training(config).run_name == "brisk-dive"
