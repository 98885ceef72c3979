"""data/prepared/  ->  data/model/: the trained network, its history, its weights."""

import numpy as np

from pipeline import fitting, model_folder, network, prepared, recipe, runs, weights
from pipeline.command import UserError
from pipeline.config import When, read_config
from pipeline.features import Schema
from pipeline.files import whole_directory
from pipeline.progress import Progress
from pipeline.runs import MODEL, PREPARED
from pipeline.stages import run_stage
from pipeline.tracking import live_run
from pipeline.work import Work


def main() -> None:
    config = read_config()
    training = config.training
    schema = Schema.read(PREPARED / "schema.json")
    path = PREPARED / "train.parquet"
    streaming = training.streaming.decided(not prepared.fits_in_memory(path))
    train = (prepared.stream if streaming else prepared.read)(path, schema)
    trained = network.build(config.model.layers, schema, training.seed)
    saved = network.in_target_units(trained, schema)
    before = weights.named(trained)
    row = prepared.first_row(path, schema)
    first = {str(name): float(row[name]) for name in row.index}
    first |= network.first_prediction(saved, row.to_numpy(np.float32))
    parameters = sum(array.size for array in before.values())
    work = Work(parameters, len(train), training.batch_size, training.epochs)
    xla = training.xla.decided(work.xla_pays())
    print(work.told(xla=xla, streaming=streaming, forced=training.xla is not When.auto), flush=True)

    store = (lambda: runs.open_store(config)) if config.tracking.enabled else None
    with (
        live_run(store, runs.identity(config), runs.params(config), runs.tags()) as run,
        Progress(training.epochs, "epoch") as progress,
    ):

        def on_epochs(start: int, curves: dict[str, fitting.Values]) -> None:
            for i, values in enumerate(
                zip(*(curve[:, 0] for curve in curves.values()), strict=True)
            ):
                run.log_epoch(start + i, dict(zip(curves, map(float, values), strict=True)))
            progress.advance(len(curves["loss"]), loss=float(curves["loss"][-1, 0]))

        (fitted,) = fitting.fit(
            [
                recipe.member(
                    weights.of(trained),
                    layers=config.model.layers,
                    optimizer=config.optimizer,
                    schedule=config.schedule,
                    training=training,
                    rows=len(train),
                )
            ],
            train,
            prepared.read(PREPARED / "validation.parquet", schema),
            activations=[layer.activation.value for layer in config.model.layers],
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
