"""Decisions about XLA and calls follow from the sizes of a training alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.runtime.errors import UserError
from pipeline.training import cost
from pipeline.training.cost import Cost, check_memory, memory_limits

TINY = Cost(parameters=2, rows=7, batch_size=32, epochs=100)
LONG = Cost(parameters=100_000, rows=100_000, batch_size=128, epochs=100)
WIDE = replace(LONG, members=8)
EACH = [TINY, replace(TINY, epochs=1), replace(TINY, epochs=100_000), LONG, WIDE]


def test_a_network_that_memory_cannot_hold_is_refused() -> None:
    check_memory(10, [1000, 1000, 1])
    for units in ([10**12, 1], [10**7, 10**7, 1]):
        with pytest.raises(UserError, match=r"^model\.layers: \d+ parameters need \d+\.\d GB of"):
            check_memory(1, units)


@pytest.mark.parametrize(
    ("groups", "file"),
    [
        ("0::/a/b", "memory.max"),
        ("0::/a/b", "a/memory.max"),
        ("0::/a/b", "a/b/memory.max"),
        ("3:cpu:/\n2:memory:/a\n0::/", "memory/memory.limit_in_bytes"),
        ("2:memory:/a", "memory/a/memory.limit_in_bytes"),
    ],
)
def test_the_memory_limit_of_a_container_is_found(groups: str, file: str, tmp_path: Path) -> None:
    for name, text in (("proc/self/cgroup", groups), (f"sys/fs/cgroup/{file}", "1000000\n")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    assert list(memory_limits(tmp_path)) == [1_000_000]


def test_without_a_memory_limit_there_is_only_the_memory_of_the_machine(tmp_path: Path) -> None:
    assert not list(memory_limits(tmp_path))
    for name, text in (("proc/self/cgroup", "0::/"), ("sys/fs/cgroup/memory.max", "max\n")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert not list(memory_limits(tmp_path))


def test_a_network_that_the_memory_of_a_container_cannot_hold_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cost, "memory_limits", lambda: [1_000_000_000])

    with pytest.raises(UserError, match=r"or container has 1\.0 GB; lower the units"):
        check_memory(10, [10_000, 10_000, 1])


def test_xla_does_not_pay_off_for_a_tiny_training() -> None:
    assert not TINY.xla_pays()


def test_xla_pays_off_for_a_long_training() -> None:
    assert LONG.xla_pays()


def test_xla_pays_off_for_a_tiny_training_of_many_epochs() -> None:
    assert replace(TINY, epochs=100_000).xla_pays()


@pytest.mark.parametrize("changed", [{"parameters": 200}, {"rows": 700}, {"members": 3}])
@pytest.mark.parametrize("xla", [False, True])
def test_a_larger_epoch_takes_longer(changed: dict[str, int], *, xla: bool) -> None:
    assert replace(TINY, **changed).epoch_seconds(xla=xla) > TINY.epoch_seconds(xla=xla)


@pytest.mark.parametrize("xla", [False, True])
def test_an_epoch_of_smaller_batches_takes_longer(*, xla: bool) -> None:
    smaller = replace(LONG, batch_size=1)
    assert smaller.epoch_seconds(xla=xla) > LONG.epoch_seconds(xla=xla)


@pytest.mark.parametrize("one", EACH, ids=str)
def test_an_epoch_under_xla_takes_less_time(one: Cost) -> None:
    assert one.epoch_seconds(xla=True) < one.epoch_seconds(xla=False)


@pytest.mark.parametrize(("remaining", "pays"), [(8, False), (7, True), (1, True)])
def test_without_xla_shrinking_a_group_always_pays(remaining: int, *, pays: bool) -> None:
    assert WIDE.shrinking_pays(remaining, 1, xla=False) is pays


@pytest.mark.parametrize(
    ("one", "remaining", "epochs", "pays"),
    [
        (WIDE, 1, 100, True),
        (WIDE, 1, 0, False),
        (WIDE, 8, 100, False),
        (replace(TINY, members=8), 1, 100, False),
    ],
    ids=["many epochs remain", "no epoch remains", "no member has finished", "tiny training"],
)
def test_under_xla_shrinking_a_group_pays_if_it_saves_more_than_a_compilation(
    one: Cost, remaining: int, epochs: int, *, pays: bool
) -> None:
    assert one.shrinking_pays(remaining, epochs, xla=True) is pays


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize("one", EACH, ids=str)
def test_a_call_has_at_least_one_epoch_and_never_too_many(one: Cost, *, xla: bool) -> None:
    number = one.epochs_per_call(xla=xla)
    assert 1 <= number <= min(one.epochs, cost.MAX_EPOCHS_PER_CALL)
    if number > 1:
        assert number * one.epoch_seconds(xla=xla) <= cost.CALL_SECONDS
        assert number * one.rows * one.members <= cost.MAX_ORDERS_PER_CALL


def test_a_call_of_a_tiny_training_has_the_maximal_number_of_epochs() -> None:
    assert TINY.epochs_per_call(xla=True) == 100
    assert replace(TINY, epochs=1000).epochs_per_call(xla=True) == cost.MAX_EPOCHS_PER_CALL


def test_a_call_of_a_long_training_has_one_epoch() -> None:
    assert LONG.epochs_per_call(xla=False) == 1


def test_the_orders_of_a_call_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "MAX_ORDERS_PER_CALL", 7 * 5)
    assert TINY.epochs_per_call(xla=False) == 5
    assert replace(TINY, members=2).epochs_per_call(xla=False) == 2
    assert replace(TINY, members=9).epochs_per_call(xla=False) == 1


@pytest.mark.parametrize(
    ("xla", "forced", "expected"),
    [
        (True, True, "compiled by XLA, as set by training.xla"),
        (False, True, "without XLA, as set by training.xla"),
        (True, False, "compiled by XLA, because compilation pays off"),
        (False, False, "without XLA, because compilation would not pay off"),
    ],
)
@pytest.mark.parametrize("streaming", [False, True])
def test_the_summary_states_the_sizes_and_how_it_is_compiled(
    expected: str, *, xla: bool, forced: bool, streaming: bool
) -> None:
    where = "; rows from disk, window by window" if streaming else ""
    assert TINY.summary(xla=xla, streaming=streaming, forced=forced) == (
        f"training 2 parameters on 7 rows in batches of 7, {expected}{where}"
    )


def test_the_summary_of_a_group_has_the_number_of_networks() -> None:
    line = replace(TINY, members=5).summary(xla=False, streaming=False, forced=True)
    assert line.startswith("training 5 networks of ")
    assert " parameters together, each on up to " in line
