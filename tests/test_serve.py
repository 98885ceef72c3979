"""The command behind make serve; here without MLflow and Keras."""

import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import yaml

from pipeline import serve
from pipeline.config.data import Kind, Reading, Violations
from pipeline.runtime.errors import UserError
from pipeline.runtime.files import write_text
from pipeline.runtime.paths import COMPOSED
from pipeline.schema.columns import Column, Schema
from pipeline.schema.contract import Contract
from tests.compose_once import compose_once

ROOT = Path(__file__).parents[1]


@pytest.fixture
def serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs the command with this champion; returns what it would serve, and where."""
    monkeypatch.chdir(tmp_path)
    Path("data/model").mkdir(parents=True)
    contract = Contract("y", Schema({"x": Column(Kind.numeric)}), Reading(), Violations())
    contract.write(Path("data/model/contract.json"))
    served: dict[str, Any] = {}

    def predict(table: pd.DataFrame, **how: Any) -> object:
        return table, how

    def command(
        *arguments: str, champion: str | None = None, overrides: tuple[str, ...] = ()
    ) -> Any:
        write_text(COMPOSED, yaml.safe_dump(compose_once(ROOT, overrides).plain))
        scoring = SimpleNamespace(
            application=lambda predict: served.update(predict=predict),
            serve=lambda _app, listening: served.update(address=listening.getsockname()),
        )
        version = SimpleNamespace(uri=champion) if champion else None
        registry = SimpleNamespace(champion=lambda: version)
        registries = SimpleNamespace(Registry=lambda _config: registry)
        models = SimpleNamespace(download=lambda _uri, _folder: Path("data/model"))
        monkeypatch.setitem(sys.modules, "pipeline.tracking.scoring", scoring)
        monkeypatch.setattr("pipeline.tracking.scoring", scoring, raising=False)
        monkeypatch.setitem(sys.modules, "pipeline.tracking.registry", registries)
        monkeypatch.setitem(sys.modules, "pipeline.tracking.models", models)
        monkeypatch.setattr(serve, "load", lambda _folder: SimpleNamespace(predict=predict))
        serve.main(**vars(serve.command_parser().parse_args(arguments)))
        return served

    return command


@pytest.mark.parametrize(
    ("arguments", "settings", "served"),
    [
        ([], {"champion": "models:/cars/3"}, "models:/cars/3"),
        ([], {}, "data/model"),
        ([], {"champion": "models:/cars/3", "overrides": ("tracking=off",)}, "data/model"),
        (["--model", "runs:/7/model"], {"champion": "models:/cars/3"}, "runs:/7/model"),
    ],
)
def test_the_champion_is_served_if_there_is_one_and_no_other_model_is_named(
    serving: Callable[..., Any],
    arguments: list[str],
    settings: dict[str, Any],
    served: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    host, port = serving("--port", "0", *arguments, **settings)["address"]
    assert host == "127.0.0.1"
    assert capsys.readouterr().out == (
        f"serving {served} at http://127.0.0.1:{port}/invocations until Ctrl-C\n"
    )


def test_rows_are_numbered_as_in_the_request(serving: Callable[..., Any]) -> None:
    _, how = serving("--port", "0")["predict"](pd.DataFrame())
    assert how["source"] == "the request"
    assert str(how["locate"](1)) == "the request, row 2"


def test_a_port_in_use_is_named_before_anything_is_imported(
    serving: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as used:
        port = used.getsockname()[1]
        monkeypatch.setitem(sys.modules, "pipeline.tracking", None)
        with pytest.raises(UserError) as caught:
            serving("--port", str(port))
    assert str(caught.value) == (
        f"--port: {port} cannot be used: Address already in use; choose another: `make serve"
        " PORT=NUMBER`"
    )


def test_a_port_that_is_none_is_named(serving: Callable[..., Any]) -> None:
    with pytest.raises(UserError, match=r"^--port: 70000 cannot be used: "):
        serving("--port", "70000")


def test_a_missing_model_folder_is_named(serving: Callable[..., Any]) -> None:
    with pytest.raises(UserError, match=r"^data/none: no such model folder"):
        serving("--port", "0", "--model", "data/none")


def test_ctrl_c_is_quiet(
    serving: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(serve, "default_model", interrupted)
    serving("--port", "0")
    assert capsys.readouterr() == ("", "")
