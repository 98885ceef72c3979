"""A sweep on Ray: trials a minute with one node and with two, and where the time goes."""

import math
import os
import pickle
import tempfile
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.race import clocked, show
from benchmarks.stages import cloned
from benchmarks.sweeps import medium_arguments, sweep

TRIALS = 64
STORE_BYTES = 80 * 2**20  # the smallest that Ray takes


@contextmanager
def nodes(number: int, gpus: int = 0) -> Iterator[Any]:
    """A cluster of a head without cores and so many nodes of one core, on this machine; gpus is
    how many each of them says that it has."""
    os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    from ray.cluster_utils import Cluster

    made = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": STORE_BYTES}
    )
    for _ in range(number):
        made.add_node(num_cpus=1, num_gpus=gpus, object_store_memory=STORE_BYTES)
    os.environ["RAY_ADDRESS"] = made.address
    try:
        yield made
    finally:
        del os.environ["RAY_ADDRESS"]
        made.shutdown()


def scaling() -> None:
    """The same sweep without Ray, on one node and on two."""
    with tempfile.TemporaryDirectory() as folder:
        clone = cloned(folder)
        arguments = [*medium_arguments(clone), f"sweep.parallel_trials={TRIALS}"]
        seeds = count()

        def seconds(where: str, trials: int) -> float:
            # Values that another sweep has drawn would not be trained again.
            seed = next(seeds)
            options = [f"sweep.name=sweep{seed}", f"sweep.seed={seed}", f"sweep.trials={trials}"]
            return sweep(clone, *arguments, *options, f"sweep.cluster={where}")[0]

        sizes = (TRIALS, 2 * TRIALS)
        found = {"without Ray": [seconds("null", trials) for trials in sizes]}
        for number, name in ((1, "1 node"), (2, "2 nodes")):
            with nodes(number):
                found[name] = [seconds("auto", trials) for trials in sizes]
        with chdir(clone):
            parts = overhead(arguments)
    rows = [
        [
            where, *both, 2 * TRIALS / both[1] * 60, TRIALS / (both[1] - both[0]) * 60,
            (found["1 node"][1] - found["1 node"][0]) / (both[1] - both[0]),
        ]
        for where, both in found.items()
    ]  # fmt: skip
    show(
        "A sweep on Ray: batches of 64 trials of 50 epochs, 16,512 × 8 rows, 64-64; start included",
        ["", f"seconds, {TRIALS} trials", f"{2 * TRIALS} trials", "trials a minute",
         "a minute once started", "times one node"],
        rows,
    )  # fmt: skip
    show("Where the time of a sweep on Ray goes", ["", "seconds", "MB"], parts)


def overhead(arguments: list[str]) -> list[list[object]]:
    """Seconds and sizes of each part that a sweep has only on Ray."""
    from pipeline.compose.experiment import compose
    from pipeline.preparation.preparation import prepare
    from pipeline.sweep import cluster, trials
    from pipeline.sweep.tables import Tables

    fixed = [one for one in arguments if not one.startswith("sweep") and "interval" not in one]
    config = compose(Path(), [*fixed, "training.epochs=1"]).config
    data = prepare(config.data)
    group = trials.Group(
        dict.fromkeys(range(TRIALS // 2), config), config.sweep.score, config.sweep.pruning, []
    )
    results: list[object] = []

    def train(where: trials.TrainGroups) -> None:
        results[:] = [one for _, one in where(iter([group]), lambda: math.inf, trials.ignore)]

    alone = partial(train, partial(trials.train_groups, Tables(data, config)))
    alone()
    in_process = median(clocked(alone) for _ in range(3))
    with nodes(1):
        begun = time.perf_counter()
        with cluster.connected("auto", data, config) as on_ray:
            connecting = time.perf_counter() - begun
            first = clocked(partial(train, on_ray))
            later = median(clocked(partial(train, on_ray)) for _ in range(3))
    rows, result = (len(pickle.dumps(one)) / 2**20 for one in ((data, config), results))
    return [
        ["connecting, and the rows into the object store", connecting, rows],
        ["a worker's start: imports, encoding the rows", first - later, ""],
        [f"a group of {TRIALS // 2} trials there and back, beside its training",
         later - in_process, result],
        ["its training, one epoch, compilation included", in_process, ""],
    ]  # fmt: skip
