"""The files of a prepared table, and the line that reports it."""

import json
from pathlib import Path

import pandas as pd

from pipeline.config.data import Data
from pipeline.dataset import prepared as parquet
from pipeline.preparation.cross_validation import MAX_ROWS
from pipeline.preparation.preparation import Prepared
from pipeline.preparation.profile import profile
from pipeline.preparation.profile_page import render
from pipeline.runtime.files import write_table
from pipeline.runtime.paths import CONTRACT, ENCODING, FOLDS, PREPARED, WARNINGS

PROFILE = PREPARED / "profile.html"


def write(prepared: Prepared, data: Data, folder: Path) -> None:
    """The parts, the new rows, the contract, the encoding, the folds, the warnings and the
    profile."""
    inputs = len(prepared.encoding.names)
    columns = [*prepared.contract.schema.columns, data.target]
    group = data.group_column
    for name, part in prepared.parts.items():
        rows = part[columns]
        if group:
            codes, _ = pd.factorize(part[group], use_na_sentinel=False)
            rows = rows.assign(**{parquet.GROUP: codes})
        parquet.write(rows, folder / f"{name}.parquet", inputs)
    parquet.write(prepared.new_rows, folder / "new.parquet", inputs)
    prepared.contract.write(folder / CONTRACT)
    prepared.encoding.write(folder / ENCODING)
    prepared.folds.write(folder / FOLDS)
    figures = profile(prepared.parts["train"], prepared.schema, data.target)
    used_as = [prepared.used_as.get(str(name), "") for name in figures["column"]]
    write_table(figures.assign(used_as=used_as), folder / "profile.csv")
    page = render(
        data.path, prepared.parts, prepared.schema, figures,
        target=data.target, used_as=prepared.used_as, warnings=prepared.warnings,
        folds=[len(fold.validation) for fold in prepared.folds],
    )  # fmt: skip
    (folder / "profile.html").write_text(page, "utf-8")
    warnings = json.dumps(prepared.warnings, ensure_ascii=False, indent=1)
    (folder / WARNINGS).write_text(warnings + "\n", "utf-8")


def summary(prepared: Prepared, data: Data, *, profile: Path | None = PROFILE) -> str:
    """One line: the rows of each part, the features, the inputs of the network, and the path of the
    profile; and another one if the rows are divided into folds because there are few."""
    folds = prepared.folds
    in_folds = f" in {folds.count // folds.repeats} folds" if folds.count else ""
    in_folds += f", {folds.repeats} times" if folds.repeats > 1 else ""
    parts = ", ".join(
        f"{len(part)} {name}{in_folds if name == 'train' else ''}"
        for name, part in prepared.parts.items()
        if len(part)
    )
    rows = _count(sum(map(len, prepared.parts.values())), "row")
    features = _count(len(prepared.encoding.columns), "feature")
    inputs = _count(len(prepared.encoding.names), "network input")
    line = f"prepared {data.path}: {rows} ({parts}); {features}, {inputs}"
    line += f"; profile: {profile}" if profile else ""
    if folds.count and data.split.folds is None:
        line += (
            f"\n{folds.count // folds.repeats} folds, because at most {MAX_ROWS} rows are not for"
            " test; data.split.folds=0 sets one validation part aside instead"
        )
    return line


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
