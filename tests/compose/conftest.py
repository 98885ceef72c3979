"""What the tests of composing share."""

from pathlib import Path

import pytest

from tests.compose.folder import copy_experiment


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_experiment(tmp_path)
    monkeypatch.chdir(tmp_path)
