"""The files of a prepared table, and the line that reports it."""

from pathlib import Path

from pipeline.config.data import Data
from pipeline.dataset import prepared as parquet
from pipeline.preparation.preparation import Prepared
from pipeline.preparation.profile import profile
from pipeline.preparation.profile_page import render
from pipeline.runtime.files import write_table
from pipeline.runtime.paths import CONTRACT, ENCODING, PREPARED


def write(prepared: Prepared, data: Data, folder: Path) -> None:
    """The parts, the new rows, the contract, the encoding, and the profile."""
    inputs = len(prepared.encoding.names)
    columns = [*prepared.contract.schema.columns, data.target]
    for name, part in prepared.parts.items():
        parquet.write(part[columns], folder / f"{name}.parquet", inputs)
    parquet.write(prepared.new_rows, folder / "new.parquet", inputs)
    prepared.contract.write(folder / CONTRACT)
    prepared.encoding.write(folder / ENCODING)
    figures = profile(prepared.parts["train"], prepared.schema, data.target)
    used_as = [prepared.used_as.get(str(name), "") for name in figures["column"]]
    write_table(figures.assign(used_as=used_as), folder / "profile.csv")
    page = render(
        data.path, prepared.parts, prepared.schema, figures,
        target=data.target, used_as=prepared.used_as, warnings=prepared.warnings,
    )  # fmt: skip
    (folder / "profile.html").write_text(page, "utf-8")


def summary(prepared: Prepared, data: Data) -> str:
    """One line: the rows of each part, the features, and the inputs of the network."""
    parts = ", ".join(f"{len(part)} {name}" for name, part in prepared.parts.items() if len(part))
    rows = _count(sum(map(len, prepared.parts.values())), "row")
    features = _count(len(prepared.encoding.columns), "feature")
    inputs = _count(len(prepared.encoding.names), "network input")
    return (
        f"prepared {data.path}: {rows} ({parts}); {features}, {inputs};"
        f" profile: {PREPARED}/profile.html"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
