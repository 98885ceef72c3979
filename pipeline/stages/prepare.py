"""The raw table  ->  data/prepared/: the parts, the new rows, the contract, the encoding, a
profile; and data/schema/: what the table is expected to hold."""

from pipeline.config.data import Data
from pipeline.config.section import read_section
from pipeline.dataset import prepared
from pipeline.runtime.errors import warn
from pipeline.runtime.files import whole_directory, write_table, write_text
from pipeline.runtime.paths import CONTRACT, ENCODING, PREPARED
from pipeline.schema import schema_file
from pipeline.tables import profiling
from pipeline.tables.preparation import account, described, outside_raw, prepare
from pipeline.tracking.stage_command import run_stage


def main() -> None:
    data = read_section("data", Data)
    known = schema_file.known(data.path)
    made = prepare(data, known)
    for line in (*outside_raw(data), *made.warnings):
        warn(line)
    with whole_directory(PREPARED) as folder:
        inputs = len(made.encoding.names)
        columns = [*made.contract.schema.columns, data.target]
        for name, part in made.parts.items():
            prepared.write(part[columns], folder / f"{name}.parquet", inputs)
        prepared.write(made.new, folder / "new.parquet", inputs)
        made.contract.write(folder / CONTRACT)
        made.encoding.write(folder / ENCODING)
        profile = profiling.profile(made.parts["train"], made.schema, data.target)
        write_table(account(made, profile), folder / "profile.csv")
        page = profiling.page(
            data.path, made.parts, made.schema,
            target=data.target, done=made.done, warnings=made.warnings, profiled=profile,
        )  # fmt: skip
        (folder / "profile.html").write_text(page, "utf-8")
    if known is None:
        write_text(schema_file.file_of(data.path), schema_file.text(made.schema, data.path))
    print(described(made, data))


if __name__ == "__main__":
    run_stage("prepare", main)
