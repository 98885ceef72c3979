"""data/model/ + data/prepared/  ->  data/evaluation/, data/metrics.json, the whole run."""

import json
from pathlib import Path

import pandas as pd

from pipeline import network, runs
from pipeline.config import read_config
from pipeline.evaluation import (
    Line,
    coefficient_table,
    evaluate,
    least_squares,
    prediction_table,
)
from pipeline.figures import write_figures
from pipeline.files import whole_directory, write_text
from pipeline.provenance import process_seconds
from pipeline.runs import EVALUATION, METRICS, MODEL, PREPARED
from pipeline.serving import Predictor
from pipeline.stages import run_stage
from pipeline.tables import PARTS

TRACKED = Path("data/tracked.json")


def main() -> None:
    config = read_config()
    predictor = Predictor(MODEL)
    columns = predictor.schema.columns
    tables = {part: pd.read_parquet(PREPARED / f"{part}.parquet") for part in PARTS}
    parts = {
        part: (
            table[columns.features].to_numpy("float64"),
            table[columns.target].to_numpy("float64"),
            predictor.predict(table)["predicted"].to_numpy("float64"),
        )
        for part, table in tables.items()
    }
    optimum = least_squares(*parts["train"][:2])
    metrics = evaluate(parts, optimum)
    predictions = pd.concat(
        [
            prediction_table("in_sample" if "in_sample" in metrics else part, table.index, *pair)
            for part, table in tables.items()
            if len(table) and (pair := parts[part][1:])
        ]
    )
    new = pd.read_parquet(PREPARED / "new.parquet")
    line = network.line(predictor.network)
    with whole_directory(EVALUATION) as folder:
        predictions.to_csv(folder / "predictions.csv", index=False, float_format="%.9g")
        if len(new):
            answers = pd.concat([new, predictor.predict(new)], axis=1)
            answers.to_csv(folder / "new_predictions.csv", index=False, float_format="%.9g")
        if line is not None:
            table = coefficient_table(columns.features, Line(*line), optimum)
            table.to_csv(folder / "coefficients.csv", index=False, float_format="%.9g")
            fitted = next(iter(metrics.values()))
            metrics["optimum"] = {
                "mse": fitted["least_squares_rmse"] ** 2,
                "excess_mse": fitted["mse"] - fitted["least_squares_rmse"] ** 2,
            }
        write_figures(
            pd.read_csv(MODEL / "history.csv"),
            predictions,
            columns.target,
            config.training.loss.value,
            folder,
        )
    write_text(METRICS, json.dumps(metrics, indent=2) + "\n")
    for part, values in metrics.items():
        pairs = ", ".join(f"{name} {value:.6g}" for name, value in values.items())
        print(f"{part.replace('_', '-')}: {pairs}")
    runs.complete(config, evaluate_seconds=process_seconds())
    # Not cached and kept in place, so that DVC evaluates anew, and completes the
    # run, wherever it has only restored the other outputs.
    write_text(TRACKED, json.dumps({"fingerprint": runs.identity(config).fingerprint}) + "\n")


if __name__ == "__main__":
    run_stage("evaluate", main)
