"""Trains the network on data/prepared/: data/model/ gets the model, its history and weights."""

import json

from pipeline.config.training import Final, read_training_config
from pipeline.dataset import prepared
from pipeline.dataset.encoding import Encoding
from pipeline.dataset.folds import Folds
from pipeline.runtime.entry import CommandParser
from pipeline.runtime.errors import read_errors, warn
from pipeline.runtime.files import whole_directory
from pipeline.runtime.paths import CONTRACT, ENCODING, FOLDS, MODEL, PREPARED
from pipeline.tracking.client import record_training
from pipeline.tracking.stage_command import run_stage

TRAIN, VALIDATION = PREPARED / "train.parquet", PREPARED / "validation.parquet"


def main() -> None:
    config = read_training_config()
    encoding, folds = Encoding.read(PREPARED / ENCODING), Folds.read(PREPARED / FOLDS)
    with read_errors(PREPARED / CONTRACT):
        contract = (PREPARED / CONTRACT).read_text("utf-8")
        json.loads(contract)
    for path in (TRAIN, VALIDATION):
        prepared.check_encoding(encoding, path)
    with record_training() as recorder:
        # Importing Keras takes seconds, in which the recorder starts.
        from pipeline.network import model_folder
        from pipeline.training import fitting
        from pipeline.training.final import networks
        from pipeline.training.progress import EpochProgress
        from pipeline.training.rows import read
        from pipeline.training.train import check_finite, train

        with read_errors(PREPARED / ENCODING):
            rows = read(TRAIN, VALIDATION, encoding, folds, config.training.streaming)
        with EpochProgress(config.training.epochs, recorder.epochs) as progress:
            (fitted,) = train(
                [config], rows, on_epochs=progress, announce=print,
                callbacks=[],  # your own Keras callbacks
            )  # fmt: skip
        check_finite(fitted, config)
        print(fitting.summary(fitted))
        network, of_folds = networks(
            config, fitted, folds, encoding, lambda: prepared.read_table(TRAIN)
        )
        with whole_directory(MODEL) as folder:
            row = prepared.first_rows(TRAIN, 1)
            model_folder.write(folder, network, of_folds, encoding=encoding, row=row)
            (folder / CONTRACT).write_text(contract, "utf-8")
    if network and of_folds:
        print(f"the model is a network trained on all rows for {len(network.history)} epochs")
    elif config.training.final is not Final.auto and not of_folds:
        warn("training.final has an effect only with folds; see data.split.folds")


if __name__ == "__main__":
    run_stage(main, CommandParser("pipeline.stages.train", __doc__))
