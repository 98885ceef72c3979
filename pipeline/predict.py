"""Predicts new rows with a trained model."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

import pandas as pd
from tqdm import tqdm

from pipeline.runtime.entry import CommandParser, leave, run
from pipeline.runtime.errors import UserError, warn, write_errors
from pipeline.runtime.files import csv_quoting, whole_file
from pipeline.runtime.paths import CONTRACT
from pipeline.schema.contract import Contract
from pipeline.tables.reading import read

ROWS_AT_ONCE = 65_536
NO_INTERVALS = "without intervals, as evaluate has made none for this model"
ADDED = ("predicted", "lower", "upper", "flags")


def command_parser() -> CommandParser:
    parser = CommandParser("pipeline.predict", __doc__)
    parser.add_argument(
        "rows", help="CSV, Parquet or Excel file with the columns that the model reads"
    )
    parser.add_argument(
        "--model",
        default="data/model",
        help="a model folder, or an MLflow model such as runs:/RUN_ID/model (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default="predictions.csv",
        help="the rows, followed by the columns predicted, lower and upper (the ends of a"
        " prediction interval) and flags (default: %(default)s); - is standard output",
    )
    return parser


def main(rows: str, model: str, output: Path) -> None:
    check_output(output)
    printed = standard_stream(output) == 1
    # Nothing but the rows is printed where they are.
    with redirect_stdout(sys.stderr if printed else sys.stdout):
        with model_folder(model) as folder:
            # A mistake in the rows is reported at once, whereas Keras takes ten seconds to import.
            table, conformed = read_rows(rows, read_contract(folder))
            predictor = load(folder)
        predict(predictor, table, conformed, output)
    if not printed:
        without = "" if predictor.intervals else f" ({NO_INTERVALS})"
        print(f"predicted {len(table)} rows{without}: {output}")


def predict(predictor: Any, table: pd.DataFrame, conformed: pd.DataFrame, output: Path) -> None:
    """Writes the rows of a table, and the answers of a Predictor for its conformed rows, as CSV."""
    starts = range(0, len(table), ROWS_AT_ONCE)
    quiet = len(starts) == 1 or not sys.stderr.isatty()
    with destination(output) as stream:
        for start in tqdm(starts, unit="chunk", disable=quiet):
            chunk = slice(start, start + ROWS_AT_ONCE)
            answers = predictor.answer(conformed.iloc[chunk])
            # Any two float32 numbers differ in nine digits.
            texts = answers.map(lambda cell: cell if isinstance(cell, str) else f"{cell:.9g}")
            added = {name: texts[name].to_numpy() for name in texts}
            shown = table.iloc[chunk].assign(**added)
            shown.to_csv(stream, index=False, header=not start, quoting=csv_quoting(shown))


def check_output(output: Path) -> None:
    """Raises UserError for a path where no file can be written."""
    if output.is_dir():
        raise UserError(f"--output: {output} is a folder; name a file in it")
    if output.is_symlink() and not output.exists():
        raise UserError(f"--output: {output} is a link to nowhere; delete it")
    if not output.parent.is_dir():
        raise UserError(f"--output: no such folder: {output.parent}")


def standard_stream(output: Path) -> int | None:
    """1 for -, and 1 or 2 for a path such as /dev/stdout of what standard output or error is."""
    if output == Path("-"):
        return 1
    if not output.exists():
        return None
    return next((one for one in (1, 2) if os.path.samestat(output.stat(), os.fstat(one))), None)


@contextmanager
def destination(output: Path) -> Iterator[TextIO]:
    """The stream to write to. A regular file is replaced when the block ends; anything else,
    such as a pipe, is written to as it is."""
    number = standard_stream(output)
    target = output if number is None else number
    with ExitStack() as stack:
        if number is None and (output.is_file() or not output.exists()):
            # A link stays one, to the new file.
            real = output.resolve() if output.is_symlink() else output
            target = stack.enter_context(whole_file(real))
        stack.enter_context(write_errors(output))
        yield stack.enter_context(
            open(target, "w", encoding="utf-8", newline="", closefd=number is None)
        )


def is_folder(model: str) -> bool:
    """Whether a model is given by its folder, not by an MLflow URI."""
    return "://" not in model and ":/" not in model


def read_contract(folder: Path) -> Contract:
    """The contract of the model in a folder."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such model folder; `dvc repro` makes data/model")
    return Contract.read(folder / CONTRACT)


def read_rows(path: str, contract: Contract) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of a file, read in the same way as the training table, and what the model reads
    of them. Warns of what the contract does not expect."""
    columns = contract.schema.columns
    texts = contract.schema.texts(contract.reading.decimal)
    raw = read(path, contract.reading, needed=list(columns), texts=texts)
    for name in ADDED:
        if name in raw.table.columns:
            raise UserError(f"{path}: already has a column {name!r}; rename it")
    conformed, warnings = contract.validate(raw.table, raw.location, raw.decimal)
    for line in (*raw.warnings, *warnings):
        warn(line)
    return raw.table, conformed


@contextmanager
def model_folder(model: str) -> Iterator[Path]:
    """The folder of a model that is given by its folder or by an MLflow URI, for the length of the
    block. Imports MLflow for a URI."""
    if is_folder(model):
        yield Path(model)
        return
    from pipeline.tracking.models import download

    with TemporaryDirectory() as temporary:
        folder = download(model, Path(temporary))
        try:
            yield folder
        except UserError as error:
            # The temporary folder says nothing to the user.
            raise UserError(str(error).replace(str(folder), model)) from error


def load(folder: Path) -> Any:
    """The Predictor of a model folder. Imports Keras."""
    from pipeline.evaluation.predictor import Predictor

    return Predictor(folder)


if __name__ == "__main__":
    run(main, command_parser())
    leave()
