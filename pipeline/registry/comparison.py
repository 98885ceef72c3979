"""The current result beside the champion, on the rows of its test part."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from pipeline.config.data import Data
from pipeline.dataset import prepared
from pipeline.evaluation.metrics import MIN_UNITS, Vector
from pipeline.evaluation.paired import Improvement, improvement
from pipeline.preparation.raw_tables import read_raw, without_missing_targets
from pipeline.registry.fairness import Hashes, other_units, row_hashes, trained_on
from pipeline.runtime.errors import UserError, read_errors
from pipeline.runtime.paths import EVALUATION, PREPARED
from pipeline.schema import schema_file
from pipeline.schema.contract import Contract
from pipeline.schema.conversion import conform
from pipeline.schema.missing import mark_missing

REPLACE = "set registry.improvement_over.champion=null to replace it without a comparison"
UNCHANGED = "data.split.by=hash keeps rows in their part when others are added"


def training_hashes(contract: Contract) -> Hashes:
    """Hashes of the prepared rows that a model with this contract has seen in its training: those
    of the validation part chose its epoch."""
    columns = [*contract.schema.columns, contract.target]
    parts = (_read("train"), _read("validation"))
    return np.concatenate([row_hashes(part[columns]) for part in parts])


def over_champion(
    who: str,
    contract: Contract,
    seen: Hashes | None,
    predict: Callable[[pd.DataFrame], Vector],
    data: Data,
    *,
    split: Sequence[str] = (),
) -> Improvement:
    """How much lower the RMSE of the current result on the test rows is than the champion's.

    The champion predicts the rows of the raw table, so it may read other columns than the result.

    Parameters
    ----------
    who
        The champion in messages, followed by a comma.
    contract
        Its contract.
    seen
        What training_hashes returned for it; None if that is not known.
    predict
        Its predictions, (rows,), for rows that its contract has conformed.
    data
        The section `data` of the result.
    split
        The settings of data.split that were others when the champion was trained.

    Raises
    ------
    UserError
        If the comparison is not possible or would not be fair.
    """
    test = _read("test")
    true = test[data.target].to_numpy("float64")
    groups = test[prepared.GROUP].to_numpy() if prepared.GROUP in test else None
    units = len(test) if groups is None else len(np.unique(groups))
    if contract.target != data.target:
        raise UserError(
            f"{who} predicts {contract.target!r}, and this result {data.target!r}; set"
            " registry.name to another name"
        )
    if units < MIN_UNITS:
        raise UserError(
            f"{PREPARED}/test.parquet: has {units} rows or groups, but a comparison with the"
            f" champion needs {MIN_UNITS}; set data.split.test, or {REPLACE}"
        )
    if seen is None:
        raise UserError(
            f"{who} was not registered by this command, so it is not known which rows it was"
            f" trained on; {REPLACE}"
        )
    try:
        rows = _rows(data, contract)
    except UserError as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{who} cannot predict the test rows: {reason}; or {REPLACE}") from error
    index = [_read(part).index for part in ("train", "validation")]
    own = pd.concat([rows.loc[one] for one in index])
    rows = rows.loc[test.index]
    if count := trained_on(row_hashes(rows), seen, row_hashes(own)):
        raise UserError(
            f"{who} was trained on {count} of the {len(test)} test rows, so its error on them is"
            " too low for a comparison; use the split that it was trained with"
            f" ({', '.join(split) or UNCHANGED}), or {REPLACE}"
        )
    predicted = predict(rows[list(contract.schema.columns)])
    if difference := other_units(true, predicted):
        raise UserError(
            f"{who} seems to predict {data.target!r} in other units than those of the test rows:"
            f" {difference}; set registry.name to another name or, if the units are the same,"
            f" {REPLACE}"
        )
    path = EVALUATION / "predictions.csv"
    with read_errors(path):
        listed = pd.read_csv(path, usecols=["part", "row", "predicted"])
        listed = listed[listed["part"] == "test"].set_index("row").loc[test.index + 1]
    residuals = true - listed["predicted"].to_numpy()
    return improvement(residuals, true - predicted, true, groups=groups)


def _rows(data: Data, contract: Contract) -> pd.DataFrame:
    """The rows of the raw table as a model with this contract reads them, and their target."""
    raw = read_raw(data, data.path, contract.schema, [*contract.schema.columns, data.target])
    raw = without_missing_targets(raw, data)
    marked = mark_missing(raw.table, contract.reading.markers, contract.schema.columns)
    rows, _ = contract.validate(marked, raw.location, raw.decimal)
    positions = rows.index if raw.positions is None else raw.positions
    rows = rows.set_axis(positions)
    target = pd.concat([_read(part)[data.target] for part in ("train", "validation", "test")])
    schema = schema_file.read(data.path)
    if schema is not None:
        now = conform(raw.table, schema.select([data.target]), raw.location)[data.target]
        if not target.equals(now.set_axis(positions).reindex(target.index)):
            raise UserError(f"{data.path}: has changed since; run `dvc repro --force`")
    return rows.assign(**{data.target: target})


def _read(part: str) -> pd.DataFrame:
    return prepared.read_table(PREPARED / f"{part}.parquet")
