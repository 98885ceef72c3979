"""Predictions over HTTP: the server, the same without HTTP, and the Keras model alone."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import requests

from benchmarks.race import clocked, show
from benchmarks.stages import call, cloned

PARAMS = "data: {path: 'sklearn:diabetes', target: target}\ntraining: {epochs: 3}\n"
# Rows of a request, and how many requests are timed.
SIZES = {1: 100, 10_000: 10}
JSON = {"Content-Type": "application/json"}


def serving() -> None:
    """Requests of one row and of 10,000 rows, in turn with the other ways to predict them. The
    model is that of the default options, whose speed does not depend on how long it is trained."""
    with tempfile.TemporaryDirectory() as folder:
        clone = cloned(folder)
        (clone / "params.yaml").write_text(PARAMS, "utf-8")
        call(clone, "dvc", "repro")
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.serve", "--port", "0"],
            cwd=clone, env=os.environ | {"PYTHONPATH": ""}, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        lines: list[str] = []
        started = clocked(lambda: lines.append(process.stdout.readline()))
        try:
            timed(lines[0].split(" at ")[1].split()[0], clone / "data/model")
        finally:
            process.terminate()
            process.wait()
    print(f"\nThe server is ready {started:.1f} s after its start.")


def timed(address: str, folder: Path) -> None:
    from sklearn.datasets import load_diabetes

    from pipeline.evaluation.predictor import Predictor
    from pipeline.network.encoder import inputs

    predictor, session = Predictor(folder), requests.Session()
    table = load_diabetes(as_frame=True, scaled=False).data
    rows = []
    for size, count in SIZES.items():
        sent = pd.concat([table] * (size // len(table) + 1)).head(size).reset_index(drop=True)
        body = json.dumps({"dataframe_records": sent.to_dict("records")})
        conformed, _ = predictor.contract.validate(sent, lambda position: position)
        block = inputs(conformed, predictor.encoding)

        def post(body: str = body) -> None:
            session.post(address, body, headers=JSON).raise_for_status()

        ways = {
            "the server": post,
            "`Predictor.predict`": lambda sent=sent: predictor.predict(sent),
            "Keras's `model.predict`": lambda block=block: predictor.model.predict(
                block, batch_size=4096, verbose=0
            ),
            "the Keras model, called": lambda block=block: predictor.model(block).numpy(),
        }
        for way in ways.values():
            way(), way(), way()
        seconds = {name: [] for name in ways}
        for _ in range(count):
            for name, way in ways.items():
                seconds[name].append(clocked(way))
        bare = np.median(seconds["Keras's `model.predict`"])
        for name, each in seconds.items():
            middle = float(np.median(each))
            rows.append(
                [f"{size:,}", name, 1000 * middle, 1000 * float(np.quantile(each, 0.95)),
                 size / middle, middle / bare]
            )  # fmt: skip
    show(
        "Serving: milliseconds a request, 10 features, five networks of 128-128",
        ["rows", "", "median", "95 %", "rows a second", "times `model.predict`"],
        rows,
    )
