"""Predicts new rows with a trained model.

python -m pipeline.predict ROWS.csv [--model data/model] [--output predictions.csv]
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from pipeline.config.data import Kind
from pipeline.runtime.entry import leave, run
from pipeline.runtime.errors import UserError
from pipeline.runtime.files import whole_file
from pipeline.runtime.paths import CONTRACT
from pipeline.schema.contract import Contract
from pipeline.tables.reading import Raw, read

ROWS_AT_ONCE = 65_536


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.predict",
        description="Predicts new rows with a trained model.",
    )
    parser.add_argument("rows", help="CSV or Parquet file with the columns that the model reads")
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
    output = Path(given.output)
    check_output(output)
    local = is_folder(given.model)
    # The rows come first where they can: a mistyped path is found at once, Keras takes
    # ten seconds.
    contract = contract_of(Path(given.model)) if local else None
    raw = rows_of(given.rows, contract) if contract else None
    predictor = load(given.model)
    raw = raw or rows_of(given.rows, predictor.contract)
    predict(predictor, raw, output)


def predict(predictor: Any, raw: Raw, output: Path) -> None:
    """Writes the rows with their predictions."""
    table = raw.table
    starts = range(0, len(table), ROWS_AT_ONCE)
    quiet = len(starts) == 1 or not sys.stderr.isatty()
    with whole_file(output) as draft:
        for start in tqdm(starts, unit="chunk", disable=quiet):
            rows = table.iloc[start : start + ROWS_AT_ONCE]
            answers = predictor.predict(rows, where=lambda at, start=start: raw.place(start + at))
            # Nine digits tell any two numbers of float32 apart.
            shown = rows.assign(predicted=answers["predicted"].map("{:.9g}".format))
            shown.to_csv(draft, index=False, mode="a" if start else "w", header=not start)
    print(f"predicted {len(table)} rows: {output}")


def check_output(output: Path) -> None:
    """Raises UserError for a place where no file can be written."""
    if output.is_dir():
        raise UserError(f"--output: {output} is a folder; name a file in it")
    if not output.parent.is_dir():
        raise UserError(f"--output: there is no folder {output.parent}")


def is_folder(model: str) -> bool:
    """Whether a model is named by its folder, and not by a URI of MLflow's."""
    return "://" not in model and ":/" not in model


def contract_of(folder: Path) -> Contract:
    """What the model in a folder expects of its rows."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such model folder; `dvc repro` makes data/model")
    return Contract.read(folder / CONTRACT)


def rows_of(path: str, contract: Contract) -> Raw:
    """The rows of a file, read as the training table was."""
    columns = contract.schema.columns
    texts = [name for name, column in columns.items() if column.kind is Kind.category]
    raw = read(path, contract.reading, needed=list(columns), texts=texts)
    if "predicted" in raw.table.columns:
        raise UserError(f"{path}: has a column 'predicted' already; rename it")
    return raw


def load(model: str) -> Any:
    """The serving.Predictor of a folder or of a URI of MLflow's. The heavy imports are here."""
    if is_folder(model):
        from pipeline.evaluation.predictor import Predictor

        return Predictor(Path(model))
    from pipeline.tracking.mlflow_store import load_model

    return load_model(model)


if __name__ == "__main__":
    run(main)
    leave()
