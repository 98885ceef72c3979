"""Trains the network on data/prepared/: data/model/ gets the model, its history and weights."""

from pipeline.config.training import read_training_config
from pipeline.dataset.prepared import TrainingFiles, first_rows, read_table
from pipeline.runtime.entry import CommandParser
from pipeline.runtime.files import whole_directory
from pipeline.runtime.paths import CHECKPOINTS, CONTRACT, MODEL, PREPARED
from pipeline.tracking.client import record_training
from pipeline.tracking.fingerprint import of_stage
from pipeline.tracking.stage_command import run_stage


def main() -> None:
    config = read_training_config()
    files = TrainingFiles.read(PREPARED)
    with record_training() as recorder:
        # Importing Keras takes seconds, in which the recorder starts.
        from pipeline.network import model_folder
        from pipeline.training.checkpoints import Checkpoints
        from pipeline.training.final import networks
        from pipeline.training.progress import EpochProgress
        from pipeline.training.rows import read
        from pipeline.training.train import train

        rows = read(files, config.training.streaming)
        checkpoints = Checkpoints(CHECKPOINTS, of_stage("train").hash, announce=print)
        with EpochProgress(config.training.epochs, recorder.epochs) as progress:
            (fitted,) = train(
                [config], rows, minutes=config.training.minutes, on_epochs=progress,
                checkpoints=checkpoints, announce=print,
                callbacks=[],  # your own Keras callbacks
            )  # fmt: skip
        network, of_folds = networks(
            config, fitted, files.folds, files.encoding,
            lambda: read_table(files.train), announce=print,
        )  # fmt: skip
        with whole_directory(MODEL) as folder:
            row = first_rows(files.train, 1)
            model_folder.write(folder, network, of_folds, encoding=files.encoding, row=row)
            (folder / CONTRACT).write_text(files.contract, "utf-8")
        checkpoints.remove()


if __name__ == "__main__":
    run_stage(main, CommandParser("pipeline.stages.train", __doc__))
