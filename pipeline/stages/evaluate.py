"""data/model/ + data/prepared/  ->  data/evaluation/, data/metrics.json, the whole run."""

import json
from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline import identity
from pipeline.config import Config, read_config
from pipeline.files import whole_directory, write_text
from pipeline.places import EVALUATION, METRICS, MODEL, PREPARED, TRACKED
from pipeline.provenance import process_seconds
from pipeline.recording import Recorder
from pipeline.splitting import PARTS
from pipeline.stages import run_stage

Array = NDArray[np.float64]


def main() -> None:
    config = read_config()
    with Recorder(config, results=True) as recorder:
        metrics = evaluate(config)
        write_text(METRICS, json.dumps(metrics, indent=2) + "\n")
        for part, values in metrics.items():
            pairs = ", ".join(f"{name} {value:.6g}" for name, value in values.items())
            print(f"{part.replace('_', '-')}: {pairs}", flush=True)
        recorder.tell("complete", seconds=process_seconds())
    # Not cached and kept in place, so that DVC evaluates anew, and completes the
    # run, wherever it has only restored the other outputs.
    known = {"fingerprint": identity.of_training(config).fingerprint}
    write_text(TRACKED, json.dumps(known) + "\n")


def evaluate(config: Config) -> dict[str, dict[str, float]]:
    """Writes data/evaluation/; returns the metrics of each part."""
    # Imported here, so that the recorder imports MLflow meanwhile.
    from pipeline import evaluation, features, figures, network, prepared
    from pipeline.encoder import Encoder
    from pipeline.serving import Predictor

    predictor = Predictor(MODEL)
    encoding, target = predictor.encoding, predictor.encoding.target
    encode = Encoder(encoding, predictor.model.get_layer("encoder"))

    def encoded(part: str) -> Iterator[tuple[pd.DataFrame, Array, Array]]:
        """Block by block, so that a table of any length is evaluated."""
        for table in prepared.tables(PREPARED / f"{part}.parquet"):
            x = encode.x(table).astype("float64")
            yield table, x, table[target.name].to_numpy("float64")

    optimum = evaluation.least_squares((x, y) for _, x, y in encoded("train"))
    answers = evaluation.named(
        {
            part: pd.concat(
                predictor.answers(table).assign(true=y, least_squares=optimum.predict(x))
                for table, x, y in encoded(part)
            )
            for part in PARTS
        }
    )
    metrics = evaluation.evaluate(answers)
    predictions = pd.concat(evaluation.prediction_table(*item) for item in answers.items())
    new = pd.read_parquet(PREPARED / "new.parquet")
    line = network.line(predictor.model.get_layer("network"))
    with whole_directory(EVALUATION) as folder:
        predictions.to_csv(folder / "predictions.csv", index=False, float_format="%.9g")
        if len(new):
            answered = pd.concat([new, predictor.answers(new)], axis=1)
            answered.to_csv(folder / "new_predictions.csv", index=False, float_format="%.9g")
        # The least squares of a logarithm are not those of the target.
        if line is not None and not target.log:
            kernel, bias = line
            lines = (
                evaluation.Line(*features.of_columns(*one, encoding))
                for one in (
                    (kernel * target.deviation, bias * target.deviation + target.mean),
                    (optimum.kernel, optimum.bias),
                )
            )
            table = evaluation.coefficient_table(encoding.names, *lines)
            table.to_csv(folder / "coefficients.csv", index=False, float_format="%.9g")
            fitted = next(iter(metrics.values()))
            metrics["optimum"] = {
                "mse": fitted["least_squares_rmse"] ** 2,
                "excess_mse": fitted["mse"] - fitted["least_squares_rmse"] ** 2,
            }
        history = pd.read_csv(MODEL / "history.csv")
        loss = config.training.loss.value
        figures.write_figures(history, predictions, target.name, loss, folder)
    return metrics


if __name__ == "__main__":
    run_stage("evaluate", main)
