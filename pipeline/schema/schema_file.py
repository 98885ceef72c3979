"""The schema of a table as a YAML file below data/schema/, for its user to edit."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from pipeline.config.data import column_name
from pipeline.runtime.errors import UserError
from pipeline.runtime.paths import SCHEMAS
from pipeline.schema.columns import Schema


def path_of(source: str) -> Path:
    """The schema file of a table."""
    return SCHEMAS / f"{Path(source.replace(':', '-').replace('*', '_')).name or 'table'}.yaml"


def to_yaml(schema: Schema, source: str) -> str:
    """The content of the file for a schema that was inferred from source."""
    head = (
        f"# What {source} is expected to hold, as inferred when it was first read. Edit and\n"
        "# commit it: later rows are checked against it. Delete it to have it inferred again.\n"
    )
    plain = {"path": source, "columns": schema.to_dict()}
    return head + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100)


def read(source: str) -> Schema | None:
    """The schema of a table, or None if there is no file for it, or the file is that of another
    table of the same name. Raises UserError if the file is not a schema."""
    path = path_of(source)
    if not path.is_file():
        return None
    try:
        plain = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(plain, Mapping) or plain.get("path") != source:
        return None
    columns = plain.get("columns")
    if isinstance(columns, Mapping):
        columns = {column_name(str(name)): column for name, column in columns.items()}
    return Schema.from_dict(columns, str(path))
