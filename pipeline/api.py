"""What the stages do, in Python: from a DataFrame to a model, its metrics and its figures."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pandas as pd

from pipeline import predict
from pipeline.compose.experiment import compose
from pipeline.compose.overrides import read_override
from pipeline.compose.schema import Config
from pipeline.compose.sources import COMMAND_LINE, CONF, PARAMS
from pipeline.config.data import Data, Kind, column_name
from pipeline.dataset import prepared as prepared_part
from pipeline.dataset import results
from pipeline.dataset.curves import read_folds, read_history
from pipeline.dataset.prepared import TrainingFiles
from pipeline.dataset.rows import PARTS
from pipeline.preparation.preparation import Prepared, prepare
from pipeline.preparation.prepared_files import summary, write
from pipeline.preparation.raw_tables import read_raw
from pipeline.runtime.errors import UserError, warn
from pipeline.runtime.files import whole_directory
from pipeline.runtime.paths import CONTRACT, EVALUATION, INTERVALS, METRICS, MODEL, PREPARED
from pipeline.schema.columns import Schema
from pipeline.tables.frame_reader import SOURCE
from pipeline.tables.reading import read

if TYPE_CHECKING:
    from pipeline.evaluation.evaluation import Evaluation
    from pipeline.evaluation.predictor import Predictor

ROOT = Path(__file__).parents[1]
# What a DataFrame and a function have instead of these settings.
NO_EFFECT = {
    "data": "its options are for other tables",
    "data.path": "the table is the DataFrame",
    "data.target": "the target is the second argument",
    "data.new_rows": "use predictor.predict",
    "tracking": "dvc repro records runs",
    "registry": "dvc repro makes what is registered",
    "sweep": "python -m pipeline.sweep searches",
}


class Png(bytes):
    """A figure, which a notebook shows."""

    __slots__ = ()

    def _repr_png_(self) -> bytes:
        return bytes(self)

    def __repr__(self) -> str:
        return f"<PNG image of {len(self)} bytes>"


@dataclass(frozen=True)
class Model:
    """A trained model that predicts DataFrames.

    Attributes
    ----------
    saved
        The saved model and its contract; `saved.model` is the Keras model.
    """

    saved: "Predictor"

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Predicts the rows of a DataFrame.

        Parameters
        ----------
        frame
            Has the columns that the model reads, in any order, and may have others.

        Returns
        -------
        pandas.DataFrame
            The columns that `python -m pipeline.predict` adds, with the index of the frame:
            predicted, in the target's units; lower and upper, the ends of a prediction interval, if
            the model has intervals; flags, what is unusual about the row (the attribute `flags`
            of a DataFrame is pandas' own).

        Raises
        ------
        UserError
            For a missing column, a cell that its column cannot hold, and values that the model does
            not accept. Values that it warns of are printed.
        """
        contract = self.saved.contract
        texts = contract.schema.texts(contract.reading.decimal)
        needed = list(contract.schema.columns)
        raw = read(_checked(frame), contract.reading, needed=needed, texts=texts)
        assert raw.labels is not None
        return self.saved.predict(raw.table, SOURCE, raw.location).set_axis(raw.labels)


@dataclass(frozen=True, repr=False)
class Result:
    """The result of a training. A notebook shows its lines.

    Attributes
    ----------
    predictor
        The model.
    lines, warnings
        What the stages print: the rows, the training, the metrics and the verdict; and what they
        warn of.
    evaluation
        All that the evaluation has found.
    predictions
        Part, true and predicted value, residual and interval of each row that was evaluated, by the
        label of the row. With folds, the part cv has the out-of-fold predictions.
    history
        The curves by epoch; with folds, their mean.
    figures
        PNG images by name.
    files
        The content of what `save` writes, by path.
    """

    predictor: Model
    lines: Sequence[str]
    warnings: Sequence[str]
    evaluation: "Evaluation"
    predictions: pd.DataFrame
    history: pd.DataFrame
    figures: dict[str, Png]
    files: dict[str, bytes]

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        """The errors by part, as `dvc repro` writes them to data/metrics.json."""
        return self.evaluation.metrics

    @property
    def verdict(self) -> str | None:
        """One line about the model beside its baselines; None of too few rows."""
        return self.evaluation.verdict

    def __repr__(self) -> str:
        return "\n".join(self.lines)

    def save(self, folder: Path | str) -> None:
        """Writes the model to a folder, which `load` and `python -m pipeline.predict --model` read,
        with its metrics, tables, figures and the profile of the table.

        Raises UserError for a folder that has other files, and for a full disk and the like.
        """
        target = Path(folder).expanduser()
        there = [one for one in (target, *target.rglob("*")) if one.is_file()]
        others = [one for one in there if one.relative_to(target).as_posix() not in self.files]
        if others:
            raise UserError(f"{min(others)}: is not part of a model; name a new folder")
        with whole_directory(target) as draft:
            for name, content in self.files.items():
                (draft / name).parent.mkdir(exist_ok=True)
                (draft / name).write_bytes(content)


def train(
    frame: pd.DataFrame, target: str, *overrides: str, params: Mapping[str, Any] | None = None
) -> Result:
    """Prepares a table, trains a network, and evaluates it beside its baselines, as `dvc repro`
    does. Nothing is written in the working directory, and nothing is recorded in MLflow.

    Parameters
    ----------
    frame
        The table. It is read as a file of it would be, and not changed; its index is no column, and
        names the rows in messages and results. A column of pandas' type category is a category even
        if it holds numbers.
    target
        The column to predict.
    overrides
        Settings that differ from the defaults for a table of one's own, as on the command line:
        "training.epochs=50", "model=tabular_large", "data.leave_out=[name]".
    params
        The same in the form of params.yaml, which is not read itself:
        {"data": {"kinds": {"zip code": "category"}}}.

    Returns
    -------
    Result
        The same metrics as of `dvc repro` with the same table and settings.

    Raises
    ------
    UserError
        For what is wrong with the table or a setting, in one line.

    Examples
    --------
    >>> result = train(table, "price", "training.epochs=50")  # doctest: +SKIP
    >>> result.predictor.predict(new_rows)  # doctest: +SKIP
    """
    with TemporaryDirectory() as temporary:
        root = Path(temporary)
        config = _configured(root, overrides, params or {})
        data = _of_frame(config.data, _checked(frame), str(target))
        raw = read_raw(data, frame, None, [data.target])
        prepared = prepare(data, raw=raw)
        _check_decimal_commas(prepared, raw.table)
        for line in prepared.warnings:
            warn(line)
        return _trained(prepared, replace(config, data=data), root, frame.index)


def load(model: Path | str) -> Model:
    """The model in a folder, such as data/model or one that was saved, or in MLflow, such as
    runs:/RUN_ID/model. Raises UserError if there is none, or it is damaged."""
    name = str(model)
    if predict.is_folder(name):
        name = str(Path(name).expanduser())
    with predict.model_folder(name) as folder:
        predict.read_contract(folder)
        return Model(predict.load(folder))


def _checked(frame: object) -> pd.DataFrame:
    if not isinstance(frame, pd.DataFrame):
        raise UserError(
            f"the table is a {type(frame).__name__}, not a pandas DataFrame; pandas.read_csv and"
            " the like read files"
        )
    return frame


def _configured(root: Path, overrides: Sequence[str], params: Mapping[str, Any]) -> Config:
    """The configuration, with a folder to compose it in; that of the working directory is not
    read."""
    (root / CONF).symlink_to(ROOT / CONF)
    # JSON is YAML, in which a number is its text.
    (root / PARAMS).write_text(json.dumps(params, ensure_ascii=False, default=str), "utf-8")
    for override in overrides:
        if not isinstance(override, str):
            raise UserError(
                f"an override is a text such as 'training.epochs=50', not {override!r}; a"
                " dictionary is given as params"
            )
    try:
        config = compose(root, ["data.path=DataFrame", "data.target=target", *overrides]).config
    except UserError as error:
        text = str(error).replace(f"{COMMAND_LINE}: ", "")
        raise UserError(text.replace(f"{PARAMS}: ", "params: ")) from error
    for key, value in [*map(read_override, overrides), *params.items()]:
        for name in [f"{key}.{one}" for one in value] if isinstance(value, dict) else [key]:
            _check_effect(name.removeprefix(f"{CONF}."))
    return config


def _check_effect(key: str) -> None:
    """Raises UserError for a key that has no effect here."""
    for name, instead in NO_EFFECT.items():
        if key == name or (name != "data" and key.startswith(f"{name}.")):
            raise UserError(f"{key}: has no effect on a DataFrame; {instead}")


def _of_frame(data: Data, frame: pd.DataFrame, target: str) -> Data:
    """The section `data` with the target and the kinds of a DataFrame."""
    data = replace(data, path=SOURCE, target=target)
    others = {data.target, data.split.column}
    kinds = {
        name: Kind.category
        for name, dtype in zip(map(column_name, map(str, frame)), frame.dtypes, strict=True)
        if isinstance(dtype, pd.CategoricalDtype) and name not in others
        if pd.api.types.is_any_real_numeric_dtype(dtype.categories)
    }
    return replace(data, kinds=kinds | data.kinds)


def _check_decimal_commas(prepared: Prepared, table: pd.DataFrame) -> None:
    """Raises UserError if read_csv may have taken a point between thousands for a decimal point:
    columns that it could not read have decimal commas."""
    columns = prepared.schema.columns
    if any(column.decimal == "," for column in columns.values()):
        commas = {
            name: replace(column, decimal=",")
            for name, column in columns.items()
            if column.kind is Kind.numeric
        }
        replace(prepared.contract, schema=Schema(commas)).clean(table, SOURCE)


def _trained(prepared: Prepared, config: Config, root: Path, labels: "pd.Index[Any]") -> Result:
    """What the stages baselines, train and evaluate do, with files in a temporary folder."""
    tables, model = root / PREPARED.name, root / MODEL.name
    evaluated = model / EVALUATION.name
    for folder in (tables, model, evaluated):
        folder.mkdir()
    write(prepared, config.data, tables)
    lines = [summary(prepared, config.data, profile=None)]
    files = TrainingFiles.read(tables)

    # A mistake in the table is reported at once, whereas Keras takes ten seconds to import.
    from pipeline.baselines import baselines
    from pipeline.evaluation import recorded
    from pipeline.evaluation.evaluation import evaluate
    from pipeline.evaluation.figures import write_figures
    from pipeline.evaluation.predictor import Predictor
    from pipeline.network import model_folder
    from pipeline.training import train as training
    from pipeline.training.final import networks
    from pipeline.training.progress import EpochProgress
    from pipeline.training.rows import read as encoded

    parts = {part: prepared_part.read_table(tables / f"{part}.parquet") for part in PARTS}
    compared = baselines.predict(parts, files.folds, files.encoding)
    with EpochProgress(config.training.epochs, lambda *_: None) as progress:
        (fitted,) = training.train(
            [config], encoded(files, config.training.streaming), minutes=config.training.minutes,
            on_epochs=progress, announce=lines.append,
        )  # fmt: skip
    network, of_folds = networks(
        config, fitted, files.folds, files.encoding, lambda: parts["train"], announce=lines.append
    )
    row = parts["train"].head(1)
    model_folder.write(model, network, of_folds, encoding=files.encoding, row=row)
    (model / CONTRACT).write_text(files.contract, "utf-8")
    predictor = Predictor(model)
    evaluation = evaluate(
        predictor, {part: [table] for part, table in parts.items()}, files.folds,
        baselines=compared, coverage=config.evaluation.coverage, recorded=recorded.mae(model),
    )  # fmt: skip
    evaluation.write(evaluated)
    history = read_history(model)
    write_figures(
        history, evaluation.predictions, config.data.target, config.training.loss.value, evaluated,
        folds=read_folds(model),
    )  # fmt: skip
    found = prepared.warnings
    if files.folds.count and config.training.early_stopping.chooses_by_fold:
        found = [*found, results.CHOSEN_BY_FOLD]
        warn(results.CHOSEN_BY_FOLD)
    # As a logged model has them, and not beside it.
    for file in (evaluated / INTERVALS, *tables.glob("profile.*")):
        if file.exists():
            shutil.copy(file, model)
    (model / METRICS.name).write_text(results.to_json(evaluation.metrics), "utf-8")
    rows = evaluation.predictions.drop(columns="row")
    return Result(
        Model(predictor),
        [*lines, *evaluation.lines],
        found,
        evaluation,
        rows.set_axis(labels[evaluation.predictions["row"] - 1], axis="index"),
        history,
        {file.stem: Png(file.read_bytes()) for file in sorted(evaluated.glob("*.png"))},
        {
            file.relative_to(model).as_posix(): file.read_bytes()
            for file in sorted(model.rglob("*"))
            if file.is_file()
        },
    )
