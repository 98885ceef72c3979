"""data/prepared/  ->  data/model/: the trained network, its history, its weights."""

from typing import Any

from pipeline import identity
from pipeline.command import UserError
from pipeline.config import Config, When, read_config
from pipeline.features import Encoding
from pipeline.files import whole_directory
from pipeline.places import CONTRACT, ENCODING, MODEL, PREPARED
from pipeline.progress import Progress
from pipeline.recording import Recorder
from pipeline.schema import Contract
from pipeline.stages import run_stage


def main() -> None:
    config = read_config()
    with (
        Recorder(config, results=False) as recorder,
        recorder.run(config, identity.of_training(config)),
    ):
        train(config, recorder)


def train(config: Config, recorder: Recorder) -> None:
    """Trains the network, and writes data/model/."""
    # Imported here, so that the run is there meanwhile.
    from pipeline import encoder, fitting, model_folder, network, prepared, recipe, weights
    from pipeline.epoch import Units
    from pipeline.work import Work

    training, layers = config.training, config.model.layers
    encoding = Encoding.read(PREPARED / ENCODING)
    encode = encoder.Encoder(encoding)
    paths = [PREPARED / f"{part}.parquet" for part in ("train", "validation")]
    inputs, target = len(encoding.names), encoding.target
    streaming = training.streaming.decided(useful=not prepared.fits_in_memory(paths, inputs))
    read = prepared.stream if streaming else prepared.read
    rows, validation = (read(path, encode.part) for path in paths)
    trained = network.build(layers, inputs, training.seed)
    before = weights.named(trained)
    row = prepared.first_rows(paths[0], 1)
    first = dict(row[encoding.columns].iloc[0])
    first |= network.first_prediction(trained, encode.x(row)[0], target)
    parameters = sum(array.size for array in before.values())
    work = Work(parameters, len(rows), training.batch_size, training.epochs)
    xla = training.xla.decided(useful=work.xla_pays())
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
            validation,
            activations=[layer.activation.value for layer in layers],
            loss=training.loss.value,
            update=config.optimizer.name,
            epochs=training.epochs,
            batch_size=training.batch_size,
            shuffle=training.shuffle,
            xla=xla,
            units=Units(target.log, target.mean, target.deviation),
            on_epochs=on_epochs,
            # Keras callbacks of your own.
            network=trained, callbacks=[],
        )  # fmt: skip
    if fitted.diverged:
        raise UserError(
            f"training diverged: {fitted.diverged}; lower optimizer.learning_rate"
            f" (now {config.optimizer.learning_rate}) or set optimizer.clipnorm=1"
        )
    weights.assign(trained, fitted.weights)
    with whole_directory(MODEL) as folder:
        model_folder.write(
            folder, encoder.whole(encode.model, trained, target),
            Contract.read(PREPARED / CONTRACT), encoding, history=fitted.history,
            before=before, after=weights.named(trained), first=first,
        )  # fmt: skip
    last = fitted.history.iloc[-1]
    kept = fitted.history["epoch"][fitted.history["kept"]]
    whose = f"those of epoch {kept.iloc[0]}" if len(kept) else "of no epoch, but a callback's"
    back = "" if last.kept else f"; the weights are {whose}"
    print(f"trained {len(fitted.history)} epochs: loss {last.loss:.6g}, mae {last.mae:.6g}{back}")


if __name__ == "__main__":
    run_stage("train", main)
