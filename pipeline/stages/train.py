"""Trains the network on data/prepared/: data/model/ gets the model, its history and weights."""

import json

from pipeline.config.training import read_training_config
from pipeline.dataset import prepared
from pipeline.dataset.encoding import Encoding
from pipeline.runtime.entry import CommandParser
from pipeline.runtime.errors import read_errors
from pipeline.runtime.files import whole_directory
from pipeline.runtime.paths import CONTRACT, ENCODING, MODEL, PREPARED
from pipeline.tracking.client import record_training
from pipeline.tracking.stage_command import run_stage

TRAIN, VALIDATION = PREPARED / "train.parquet", PREPARED / "validation.parquet"


def main() -> None:
    config = read_training_config()
    encoding = Encoding.read(PREPARED / ENCODING)
    with read_errors(PREPARED / CONTRACT):
        contract = (PREPARED / CONTRACT).read_text("utf-8")
        json.loads(contract)
    for path in (TRAIN, VALIDATION):
        prepared.check_encoding(encoding, path)
    fits = prepared.fits_in_memory([TRAIN, VALIDATION], len(encoding.names))
    with record_training() as recorder:
        # Importing Keras takes seconds, in which the recorder starts.
        from pipeline.network import model_folder
        from pipeline.network.encoder import Encoder
        from pipeline.training.progress import EpochProgress
        from pipeline.training.rows import of_parts
        from pipeline.training.train import check_finite, train

        with read_errors(PREPARED / ENCODING):
            encoder = Encoder(encoding)
        streaming = config.training.streaming.decided(useful=not fits)
        parts = [
            prepared.load(path, encoder.part, streaming=streaming) for path in (TRAIN, VALIDATION)
        ]
        rows = of_parts(parts[0], parts[1], encoding)
        with EpochProgress(config.training.epochs, recorder.epochs) as progress:
            ((fitted,),) = train(
                [config], rows, on_epochs=progress, announce=print,
                callbacks=[],  # your own Keras callbacks
            )  # fmt: skip
        check_finite([fitted], config)
        with whole_directory(MODEL) as folder:
            network = model_folder.TrainedNetwork(
                encoder, config.model.layers, config.training.seed, fitted.weights, fitted.history
            )
            row = prepared.first_rows(TRAIN, 1)
            model_folder.write(folder, network, encoding=encoding, row=row)
            (folder / CONTRACT).write_text(contract, "utf-8")
    print(fitted.summary())


if __name__ == "__main__":
    run_stage(main, CommandParser("pipeline.stages.train", __doc__))
