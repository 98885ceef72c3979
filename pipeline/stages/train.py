"""data/prepared/  ->  data/model/: the trained network, its history, its weights."""

from typing import Any

import numpy as np

from pipeline import identity
from pipeline.command import UserError
from pipeline.config import Config, When, read_config
from pipeline.features import Schema
from pipeline.files import whole_directory
from pipeline.places import MODEL, PREPARED
from pipeline.progress import Progress
from pipeline.recording import Recorder
from pipeline.stages import run_stage


def main() -> None:
    config = read_config()
    with Recorder(config) as recorder, recorder.run(config, identity.of_training(config)):
        train(config, recorder)


def train(config: Config, recorder: Recorder) -> None:
    """Trains the network, and writes data/model/."""
    # Imported here, so that the recorder imports MLflow meanwhile.
    from pipeline import fitting, model_folder, network, prepared, recipe, weights
    from pipeline.work import Work

    training, layers = config.training, config.model.layers
    schema = Schema.read(PREPARED / "schema.json")
    path = PREPARED / "train.parquet"
    streaming = training.streaming.decided(not prepared.fits_in_memory(path))
    rows = (prepared.stream if streaming else prepared.read)(path, schema)
    trained = network.build(layers, schema, training.seed)
    saved = network.in_target_units(trained, schema)
    before = weights.named(trained)
    row = prepared.first_row(path, schema)
    first = {str(name): float(row[name]) for name in row.index}
    first |= network.first_prediction(saved, row.to_numpy(np.float32))
    parameters = sum(array.size for array in before.values())
    work = Work(parameters, len(rows), training.batch_size, training.epochs)
    xla = training.xla.decided(work.xla_pays())
    print(work.told(xla=xla, streaming=streaming, forced=training.xla is not When.auto), flush=True)
    with Progress(training.epochs, "epoch") as progress:

        def on_epochs(start: int, curves: dict[str, Any]) -> None:
            own = {name: curve[:, 0] for name, curve in curves.items()}
            recorder.epochs(start, own)
            progress.advance(len(own["loss"]), loss=own["loss"][-1])

        (fitted,) = fitting.fit(
            [
                recipe.member(
                    weights.of(trained), layers=layers, optimizer=config.optimizer,
                    schedule=config.schedule, training=training, rows=len(rows),
                )
            ],
            rows,
            prepared.read(PREPARED / "validation.parquet", schema),
            activations=[layer.activation.value for layer in layers],
            loss=training.loss.value,
            update=config.optimizer.name,
            epochs=training.epochs,
            batch_size=training.batch_size,
            shuffle=training.shuffle,
            xla=xla,
            mae_unit=schema.target.deviation[0] if schema.target else 1.0,
            on_epochs=on_epochs,
        )  # fmt: skip
    if fitted.diverged:
        raise UserError(
            f"training diverged: {fitted.diverged}; lower optimizer.learning_rate"
            f" (now {config.optimizer.learning_rate}) or set optimizer.clipnorm=1"
        )
    weights.assign(trained, fitted.weights)
    with whole_directory(MODEL) as folder:
        model_folder.write(
            folder, saved, schema, history=fitted.history,
            before=before, after=weights.named(trained), first=first,
        )  # fmt: skip
    last = fitted.history.iloc[-1]
    print(f"trained {len(fitted.history)} epochs: loss {last.loss:.6g}, mae {last.mae:.6g}")


if __name__ == "__main__":
    run_stage("train", main)
