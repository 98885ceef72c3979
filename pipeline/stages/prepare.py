"""The raw table  ->  data/prepared/: the parts, the new rows, the contract, the encoding, a
profile; and data/schema/: what the table is expected to hold."""

from pathlib import Path

from pipeline import prepared, profiling, schema
from pipeline.command import warn
from pipeline.config import Data, read_config
from pipeline.files import whole_directory, write_text
from pipeline.places import CONTRACT, ENCODING, PREPARED, RAW
from pipeline.preparing import Prepared, account, prepare
from pipeline.reading import DIABETES
from pipeline.stages import run_stage


def main() -> None:
    data = read_config().data
    for path in (data.path, data.new_rows):
        if path and path != DIABETES and RAW.resolve() not in Path(path).resolve().parents:
            warn(f"{path} lies outside {RAW}/, so dvc repro will not notice when it changes")
    known = schema.known(data.path)
    made = prepare(data, known)
    for line in made.warnings:
        warn(line)
    write(made, data)
    if known is None:
        write_text(schema.file_of(data.path), schema.text(made.schema, data.path))
    counts = ", ".join(f"{len(part)} to {name}" for name, part in made.parts.items() if len(part))
    print(
        f"prepared {data.path}: rows {counts}; {len(made.encoding.columns)} columns become"
        f" {len(made.encoding.names)} inputs; what became of each: {PREPARED}/profile.html"
    )


def write(made: Prepared, data: Data) -> None:
    """data/prepared/."""
    with whole_directory(PREPARED) as folder:
        features, inputs = list(made.contract.schema.columns), len(made.encoding.names)
        for name, part in made.parts.items():
            rows = part[[*features, data.target]]
            prepared.write(rows, folder / f"{name}.parquet", inputs)
        prepared.write(made.new, folder / "new.parquet", inputs)
        made.contract.write(folder / CONTRACT)
        made.encoding.write(folder / ENCODING)
        profile = profiling.profile(made.parts["train"], made.schema, data.target)
        account(made, profile).to_csv(folder / "profile.csv", index=False, float_format="%.9g")
        page = profiling.page(
            data.path, made.parts, made.schema,
            target=data.target, done=made.done, warnings=made.warnings, profiled=profile,
        )  # fmt: skip
        (folder / "profile.html").write_text(page, "utf-8")


if __name__ == "__main__":
    run_stage("prepare", main)
