"""What the columns of a table are: the contract between a table and whoever reads it.

In a conformed table a numeric or a boolean (0, 1) column is float64 with NaN for missing
values, a category is text (pandas' str, NaN), a date is datetime64[us] (NaT).
"""

from collections.abc import Mapping
from pathlib import Path

import yaml

from pipeline.runtime.errors import UserError
from pipeline.runtime.paths import SCHEMAS
from pipeline.schema.columns import Schema


def file_of(source: str) -> Path:
    """Where the schema of a table is kept."""
    return SCHEMAS / f"{Path(source.replace(':', '-').replace('*', '_')).name or 'table'}.yaml"


def text(schema: Schema, source: str) -> str:
    """The file of a schema that was inferred from source."""
    head = (
        f"# What is expected of {source}, as its first reading found it. Edit and commit it:\n"
        "# later rows are held against it. Delete it to have it inferred anew.\n"
    )
    plain = {"path": source, "columns": schema.plain()}
    return head + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100)


def known(source: str) -> Schema | None:
    """The schema that is kept of a table, or None where there is none, or it is that of
    another table of the same name. Raises UserError for one that says what no schema can."""
    path = file_of(source)
    if not path.is_file():
        return None
    try:
        plain = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(plain, Mapping) or plain.get("path") != source:
        return None
    return Schema.of(plain.get("columns"), str(path))
