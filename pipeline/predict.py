"""Predicts new rows with a trained model.

python -m pipeline.predict ROWS.csv [--model data/model] [--output predictions.csv]
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from pipeline.command import UserError, run
from pipeline.files import whole_file
from pipeline.tables import read_table

ROWS_AT_ONCE = 65_536


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.predict",
        description="Predicts new rows with a trained model.",
    )
    parser.add_argument("rows", help="CSV file with the columns that the model reads")
    parser.add_argument(
        "--model",
        default="data/model",
        help="a model folder, or one in MLflow such as runs:/RUN_ID/model (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        default="predictions.csv",
        help="the rows with a column 'predicted' after them (default: %(default)s)",
    )
    given = parser.parse_args()
    table = read_table(given.rows)
    if "predicted" in table.columns:
        raise UserError(f"{given.rows}: has a column 'predicted' already; rename it")
    output = Path(given.output)
    if output.is_dir():
        raise UserError(f"--output: {output} is a folder; name a file in it")
    if not output.parent.is_dir():
        raise UserError(f"--output: there is no folder {output.parent}")

    predict = load(given.model)
    starts = range(0, len(table), ROWS_AT_ONCE)
    quiet = len(starts) == 1 or not sys.stderr.isatty()
    with whole_file(output) as draft:
        for start in tqdm(starts, unit="chunk", disable=quiet):
            rows = table.iloc[start : start + ROWS_AT_ONCE]
            # Nine digits tell any two numbers of float32 apart.
            predicted = predict(rows, given.rows)["predicted"].map("{:.9g}".format)
            answers = rows.assign(predicted=predicted)
            answers.to_csv(draft, index=False, mode="a" if start else "w", header=not start)
    print(f"predicted {len(table)} rows: {output}")


def load(model: str) -> Callable[[pd.DataFrame, str], pd.DataFrame]:
    """What turns rows into their predictions. The heavy imports are here, so that a
    mistyped path is found at once."""
    if "://" not in model and ":/" not in model:
        folder = Path(model)
        if not folder.is_dir():
            raise UserError(f"{model}: no such model folder; `dvc repro` makes data/model")
        from pipeline.serving import Predictor

        return Predictor(folder).predict
    from pipeline.tracking import load_model

    return load_model(model)


if __name__ == "__main__":
    run(main)
