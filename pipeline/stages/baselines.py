"""Fits simple models to data/prepared/: data/baselines/ gets their predictions for each part, which
evaluate compares the network with."""

import pandas as pd

from pipeline.dataset import prepared
from pipeline.dataset.encoding import Encoding
from pipeline.dataset.folds import Folds
from pipeline.dataset.rows import PARTS
from pipeline.runtime.entry import CommandParser
from pipeline.runtime.files import whole_directory
from pipeline.runtime.paths import BASELINES, ENCODING, FOLDS, PREPARED
from pipeline.tracking.stage_command import run_stage


def main() -> None:
    encoding, folds = Encoding.read(PREPARED / ENCODING), Folds.read(PREPARED / FOLDS)
    parts = {part: prepared.read_table(PREPARED / f"{part}.parquet") for part in PARTS}
    # Importing scikit-learn takes a second, in which a mistake would not be reported.
    from pipeline.baselines.baselines import predict

    predicted = pd.concat(predict(parts, folds, encoding), names=["part", "row"])
    with whole_directory(BASELINES.parent) as folder:
        predicted.to_parquet(folder / BASELINES.name)


if __name__ == "__main__":
    run_stage(main, CommandParser("pipeline.stages.baselines", __doc__))
