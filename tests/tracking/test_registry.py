"""Versions of a model in a real registry: registered once, promoted, and rolled back."""

import socket
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from pipeline.compose.schema import Config, Tracking
from pipeline.runtime.errors import UserError
from pipeline.tracking.backend import Run
from pipeline.tracking.registry import Registry, Version
from pipeline.tracking.store import Store
from tests.small import experiment

ROWS = np.arange(5, dtype=np.uint64)
Add = Callable[..., Version]


@pytest.fixture
def config(store: Store) -> Config:
    return replace(experiment(), tracking=Tracking(experiment="trials", uri=store.uri))


@pytest.fixture
def registry(config: Config) -> Registry:
    return Registry(config)


@pytest.fixture
def run(store: Store) -> Callable[[], Run]:
    """Makes a run with a logged model, which nobody reads."""

    def make() -> Run:
        run_id = store.create_run("plain", {}, {})
        model = store.client.create_logged_model(store.experiment_id, "model", run_id)
        store.client.finalize_logged_model(model.model_id, "READY")
        store.client.log_outputs(run_id, [mock.Mock(model_id=model.model_id, step=0)])
        return store.client.get_run(run_id)

    return make


def add(registry: Registry, run: Run, evaluated: str = "e", **tags: str) -> Version:
    return registry.add(run, {"fingerprint.evaluate": evaluated, **tags}, ROWS)


def message(call: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_versions_there_is_no_champion(registry: Registry) -> None:
    assert registry.name == "table"
    assert (registry.versions(), registry.champion()) == ([], None)
    assert message(registry.rollback) == (
        "table: has no champion; `python -m pipeline.register` makes one"
    )


def test_a_result_has_one_version_with_its_tags_and_its_rows(
    registry: Registry, run: Callable[[], Run]
) -> None:
    one = run()
    first = add(registry, one, gate="failed")
    assert (first.number, first.run_id, first.champion) == (1, one.info.run_id, False)
    assert time.time() - 600 < first.registered <= time.time()
    again = add(registry, one, gate="passed")
    assert (again.number, again.tags["gate"]) == (1, "passed")
    assert [version.number for version in registry.versions()] == [1]
    evaluated_again = add(registry, one, "another coverage")
    assert evaluated_again.number == 2
    rows = registry.training_rows(first)
    assert rows is not None
    np.testing.assert_array_equal(rows, ROWS)


def test_the_champion_is_promoted_and_rolled_back_step_by_step(
    registry: Registry, run: Callable[[], Run]
) -> None:
    champion: Version | None = None
    for number in (1, 2, 3):
        add(registry, run())
        version = add(registry, run())
        registry.promote(version, champion)
        champion = registry.champion()
        assert champion is not None
        assert champion.number == version.number == 2 * number
    left, now = registry.rollback()
    assert (left.number, now.number) == (6, 4)
    # What is promoted now is rolled back to what was the champion, not to what was registered.
    registry.promote(add(registry, run()), registry.champion())
    assert registry.rollback()[1].number == 4
    assert registry.rollback()[1].number == 2
    assert message(registry.rollback) == (
        "table: the champion, version 2, was the first one; there is none to go back to"
    )


def test_a_champion_that_was_deleted_is_not_gone_back_to(
    registry: Registry, run: Callable[[], Run], store: Store
) -> None:
    first, second = add(registry, run()), add(registry, run())
    registry.promote(first, None)
    registry.promote(second, first)
    store.client.delete_model_version("table", "1")
    assert message(registry.rollback) == (
        "table: the champion, version 2, replaced version 1, now deleted; there is none to go back"
        " to"
    )


def test_a_champion_that_another_process_made_meanwhile_stays(
    registry: Registry, run: Callable[[], Run]
) -> None:
    first, second = add(registry, run()), add(registry, run())
    registry.promote(first, None)
    assert message(lambda: registry.promote(second, None)) == (
        "table: another champion was made meanwhile; run it again"
    )


def test_a_version_that_cannot_be_created_leaves_nothing_behind(
    registry: Registry, run: Callable[[], Run], store: Store
) -> None:
    one = run()
    failing = mock.patch.object(
        MlflowClient, "create_model_version", side_effect=MlflowException("the disk is full")
    )
    with failing:
        assert message(lambda: add(registry, one)).endswith(
            ": the registry cannot be used: the disk is full; run it again once it can"
        )
    assert list(store.client.search_registered_models()) == []


def test_a_version_that_was_registered_otherwise_has_no_rows(
    registry: Registry, run: Callable[[], Run], store: Store
) -> None:
    add(registry, run())
    one = run()
    assert one.outputs is not None
    source = f"models:/{one.outputs.model_outputs[0].model_id}"
    store.client.create_model_version("table", source, one.info.run_id)
    assert registry.training_rows(registry.versions()[0]) is None
    store.client.create_model_version("table", "/somewhere")
    assert registry.training_rows(registry.versions()[0]) is None


def test_a_result_that_was_not_recorded_is_named(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "pipeline.tracking.fingerprint.of_stage", lambda _stage: mock.Mock(hash="7")
    )
    assert message(registry.result_run).endswith(
        "has no run of the current result; `make track` records it"
    )


def test_a_store_that_does_not_exist_is_not_created(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "elsewhere"))
    registry = Registry(replace(config, tracking=Tracking()))
    assert registry.champion() is None
    assert message(registry.result_run) == (
        "mlflow.db: has no run of the current result; `make track` records it"
    )
    assert not (tmp_path / "elsewhere").exists()


def test_a_registry_that_is_out_of_reach_or_silent_is_named(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.tracking.location.ANSWER_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for port in (9, silent.getsockname()[1]):
            uri = f"http://127.0.0.1:{port}"
            out_of_reach = replace(config, tracking=Tracking(uri=uri))
            assert message(partial(Registry, out_of_reach)) == (
                f"tracking.uri={uri}: the registry's server does not answer; start it, or set"
                " tracking.uri or MLFLOW_TRACKING_URI to the right one"
            )
