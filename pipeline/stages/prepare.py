"""Prepares the raw table: data/prepared/ gets its parts, the new rows, the contract, the
encoding and a profile, and data/schema/ the schema of a table that has none."""

from pipeline.config.data import Data
from pipeline.config.section import read_section
from pipeline.preparation.preparation import prepare, tables_outside_raw
from pipeline.preparation.prepared_files import summary, write
from pipeline.runtime.entry import CommandParser
from pipeline.runtime.errors import warn
from pipeline.runtime.files import whole_directory, write_text
from pipeline.runtime.paths import PREPARED
from pipeline.schema import schema_file
from pipeline.tables.copies import check_copied, schema_warning
from pipeline.tracking.stage_command import run_stage


def main() -> None:
    data = read_section("data", Data)
    for table in filter(None, (data.path, data.new_rows)):
        check_copied(table)
    stored = schema_file.read(data.path)
    prepared = prepare(data, stored)
    for line in (*tables_outside_raw(data), *prepared.warnings):
        warn(line)
    with whole_directory(PREPARED) as folder:
        write(prepared, data, folder)
    if stored is None:
        schema = schema_file.to_yaml(prepared.schema, data.path)
        path = schema_file.path_of(data.path)
        if other := schema_warning(path, schema):
            warn(other)
        write_text(path, schema)
    print(summary(prepared, data))


if __name__ == "__main__":
    run_stage(main, CommandParser("pipeline.stages.prepare", __doc__))
