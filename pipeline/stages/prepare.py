"""The raw table  ->  data/prepared/: the parts, the new rows, the schema."""

from pathlib import Path

from pipeline import prepared
from pipeline.command import warn
from pipeline.config import read_config
from pipeline.files import whole_directory
from pipeline.places import PREPARED, RAW
from pipeline.preparing import prepare
from pipeline.stages import run_stage
from pipeline.tables import DIABETES


def main() -> None:
    data = read_config().data
    for path in (data.path, data.new_rows):
        if path and path != DIABETES and RAW.resolve() not in Path(path).resolve().parents:
            warn(f"{path} lies outside {RAW}/, so dvc repro will not notice when it changes")
    made = prepare(data)
    with whole_directory(PREPARED) as folder:
        for name, part in {**made.parts, "new": made.new}.items():
            prepared.write(part, folder / f"{name}.parquet")
        made.schema.write(folder / "schema.json")
    counts = ", ".join(f"{len(part)} to {name}" for name, part in made.parts.items() if len(part))
    print(f"prepared {data.path}: rows {counts}; {len(made.schema.columns.features)} features")


if __name__ == "__main__":
    run_stage("prepare", main)
