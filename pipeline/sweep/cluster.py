"""Groups of trials on Ray: on all cores of this machine, or on the cluster in which the sweep was
started. The driver alone has the study and the runs; the workers train."""

import contextlib
import hashlib
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from pipeline.compose.schema import Config
from pipeline.network.backend import CUDA
from pipeline.preparation.preparation import Prepared
from pipeline.runtime.errors import UserError
from pipeline.runtime.imports import quiet_stderr
from pipeline.sweep.tables import Tables
from pipeline.sweep.trials import Group, OnEpochs, TrainedTrial, TrainGroups, ignore

# The other end has to have the same of these.
PACKAGES = ("keras", "tensorflow", "numpy", "pandas")
SECONDS = 10.0  # between two looks at whether there are workers
# Of a worker's process, which trains many groups: the rows by the sweep that they are of.
_tables: dict[str, Tables] = {}


@contextlib.contextmanager
def connected(address: str, data: Prepared, config: Config) -> Iterator[TrainGroups]:
    """A TrainGroups with a worker for each GPU or, where TensorFlow would not use those, for each
    core; all that was started ends with the block.

    Parameters
    ----------
    address
        `local` starts workers on this machine; `auto` is the cluster that it belongs to.
    data, config
        What Tables is made from.

    Raises
    ------
    UserError
        If Ray is not installed, the cluster does not answer or has no room for the rows.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Workers without a GPU keep CUDA_VISIBLE_DEVICES, without which Ray warns.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        ray: Any = import_module("ray")
    except ImportError as error:
        raise UserError(
            f"sweep.cluster={address}: Ray is not installed; `make repro EXTRAS=ray` installs it"
        ) from error
    options: dict[str, Any] = {"address": address}
    if address == "local":
        # Nothing has to listen to other machines.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        options |= {"num_cpus": os.cpu_count(), "include_dashboard": False}
    else:
        _check_answers(os.environ.get("RAY_ADDRESS", ""))
    try:
        with quiet_stderr():
            ray.init(**options, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split()).partition(". ")[0][:200]
        raise UserError(
            f"sweep.cluster={address}: {reason}; start one, or set sweep.cluster=null"
        ) from error
    try:
        try:
            rows = ray.put((data, config))
        except ray.exceptions.RayError as error:
            raise _no_room(address) from error
        yield Workers(ray, address, rows).train
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Raises UserError if HOST:PORT does not answer; Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit():
        try:
            socket.create_connection((host, int(port)), timeout=SECONDS).close()
        except OSError as error:
            raise UserError(
                f"RAY_ADDRESS={address}: no cluster answers: {error.strerror or error}; start one"
                " there, or `unset RAY_ADDRESS`"
            ) from error


def _no_room(address: str) -> UserError:
    return UserError(
        f"sweep.cluster={address}: neither Ray's object store nor its disk has room for the rows;"
        " make room, or set sweep.cluster=null"
    )


class Workers:
    """Those of a cluster, with a GPU or a CPU each."""

    def __init__(self, ray: Any, address: str, rows: Any) -> None:
        self._ray, self._address, self._rows = ray, address, rows
        resources = ray.cluster_resources()
        self._kind = "GPU" if CUDA and resources.get("GPU") else "CPU"
        # A lost one must not change which trials are compared for pruning.
        self.count = max(1, int(resources.get(self._kind, 0)))
        needs = {"num_gpus": 1} if self._kind == "GPU" else {"num_cpus": 1}
        # A group whose worker or machine is lost is trained again.
        self._task = ray.remote(max_retries=3, **needs)(_train)

    def train(
        self, groups: Iterator[Group], seconds_left: Callable[[], float], on_epochs: OnEpochs
    ) -> Iterator[tuple[Group, list[TrainedTrial] | str]]:
        """A TrainGroups. Raises UserError if a worker has other code or packages, or no room for
        the rows, and if no worker is left."""
        ray = self._ray
        until = time.time() + seconds_left()
        name, code = str(self._rows.hex()), versions()
        parts = (part for one in groups for part in one.split(self.count))
        waiting = {self._task.remote(name, self._rows, one, until, code): one for one in parts}
        while waiting:
            done, _ = ray.wait(list(waiting), timeout=SECONDS)
            if not done and not ray.cluster_resources().get(self._kind):
                raise UserError(
                    f"sweep.cluster={self._address}: no worker is left; finished trials are kept,"
                    " and the same command continues the sweep"
                )
            for task in done:
                group = waiting.pop(task)
                try:
                    trained = ray.get(task)
                except ray.exceptions.RayTaskError as error:
                    if isinstance(error.cause, UserError):
                        raise error.cause from None
                    raise
                except (
                    ray.exceptions.ObjectStoreFullError,
                    ray.exceptions.OutOfDiskError,
                ) as error:
                    raise _no_room(self._address) from error
                except ray.exceptions.RayError as error:
                    trained = " ".join(str(error).split())[:300]
                if trained is None:
                    continue  # time was over
                yield group, trained
                if not isinstance(trained, str):
                    losses = [float(one.curves[:, 0].min()) for one in trained]
                    on_epochs(len(trained), min(losses))


def versions() -> dict[str, str]:
    """What has to be the same on all machines: Python, packages, and the code."""
    root = Path(__file__).parents[1]
    code = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        code.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return {
        "Python": ".".join(map(str, sys.version_info[:3])),
        **{name: metadata.version(name) for name in PACKAGES},
        "the code of pipeline/": code.hexdigest()[:12],
    }


def _train(
    name: str, rows: tuple[Prepared, Config], group: Group, until: float, expected: dict[str, str]
) -> list[TrainedTrial] | str | None:
    """Trains a group in a worker's process; None if time is over."""
    for what, here in versions().items():
        if here != expected[what]:
            raise UserError(
                f"sweep.cluster: a worker on {os.uname().nodename} has {what} {here}, and the sweep"
                f" {expected[what]}; make them the same"
            )
    if time.time() >= until:
        return None
    if name not in _tables:
        _tables.clear()
        _tables[name] = Tables(*rows)
    return group.train(_tables[name], lambda: time.time() >= until, ignore)
