"""data/prepared/  ->  data/model/: the trained network, its history, its weights."""

import math
import sys

import pandas as pd
from tqdm import tqdm

from pipeline import fitting, model_folder, network, optimizers, runs
from pipeline.command import UserError
from pipeline.config import read_config
from pipeline.features import Schema, training_arrays
from pipeline.files import whole_directory
from pipeline.runs import MODEL, PREPARED
from pipeline.stages import run_stage
from pipeline.tracking import live_run


def main() -> None:
    config = read_config()
    schema = Schema.read(PREPARED / "schema.json")
    train, validation = (
        fitting.Part(*training_arrays(pd.read_parquet(PREPARED / f"{part}.parquet"), schema))
        for part in ("train", "validation")
    )
    training = config.training
    stopping = training.early_stopping
    trained = network.build(config.model.layers, schema, training.seed)
    saved = network.in_target_units(trained, schema)
    before = network.weights(trained)
    check = network.first_prediction(saved, train.x[0])

    progress = tqdm(total=training.epochs, unit="epoch", disable=not sys.stderr.isatty())
    store = (lambda: runs.open_store(config)) if config.tracking.enabled else None
    with live_run(store, runs.identity(config), runs.params(config), runs.tags()) as run, progress:

        def on_epoch(epoch: int, values: dict[str, float]) -> None:
            run.log_epoch(epoch, values)
            progress.set_postfix(loss=f"{values['loss']:.4g}", refresh=False)
            progress.update()

        try:
            history = fitting.fit(
                trained,
                train,
                validation if len(validation.x) else None,
                loss=training.loss.value,
                optimizer=optimizers.build(
                    config.optimizer,
                    config.schedule,
                    steps_per_epoch=math.ceil(len(train.x) / training.batch_size),
                    epochs=training.epochs,
                ),
                epochs=training.epochs,
                batch_size=training.batch_size,
                shuffle=training.shuffle,
                seed=training.seed,
                stopping=fitting.Stopping(stopping.patience, stopping.min_delta)
                if stopping.enabled
                else None,
                mae_unit=schema.target.deviation[0] if schema.target else 1.0,
                on_epoch=on_epoch,
            )
        except fitting.DivergedError as error:
            raise UserError(
                f"training diverged: {error}; lower optimizer.learning_rate"
                f" (now {config.optimizer.learning_rate}) or set optimizer.clipnorm=1"
            ) from error

    first = dict(zip(schema.columns.features, train.x[0].tolist(), strict=True)) | check
    with whole_directory(MODEL) as folder:
        model_folder.write(
            folder,
            saved,
            schema,
            history=history,
            before=before,
            after=network.weights(trained),
            first=first,
        )
    last = history.iloc[-1]
    print(f"trained {len(history)} epochs: loss {last.loss:.6g}, mae {last.mae:.6g}")


if __name__ == "__main__":
    run_stage("train", main)
