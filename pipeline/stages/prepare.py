"""The raw table  ->  data/prepared/: the parts, the new rows, the schema."""

from pathlib import Path

from pipeline import prepared
from pipeline.command import warn
from pipeline.config import read_config
from pipeline.features import fit_schema
from pipeline.files import whole_directory
from pipeline.stages import run_stage
from pipeline.tables import DIABETES, choose_columns, numbers, read_table, split

RAW = Path("data/raw")


def main() -> None:
    data = read_config().data
    for path in (data.path, data.new_rows):
        if path and path != DIABETES and RAW.resolve() not in Path(path).resolve().parents:
            warn(f"{path} lies outside {RAW}/, so dvc repro will not notice when it changes")

    raw = read_table(data.path)
    columns = choose_columns(raw, data.target, data.features, data.path)
    table = numbers(raw, [*columns.features, columns.target], data.path)
    parts = split(table, data.split.validation, data.split.test, data.split.seed)
    new = table.iloc[:0]
    if data.new_rows:
        new = numbers(read_table(data.new_rows), columns.features, data.new_rows)
    schema = fit_schema(
        parts["train"],
        columns,
        standardize_inputs=data.standardize_inputs,
        standardize_target=data.standardize_target,
    )
    with whole_directory(Path("data/prepared")) as folder:
        for name, part in {**parts, "new": new[columns.features]}.items():
            prepared.write(part, folder / f"{name}.parquet")
        schema.write(folder / "schema.json")
    counts = ", ".join(f"{len(part)} to {name}" for name, part in parts.items() if len(part))
    print(f"prepared {data.path}: rows {counts}; {len(columns.features)} features")


if __name__ == "__main__":
    run_stage("prepare", main)
