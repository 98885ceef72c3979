"""Settings that the message of an error or a warning names."""

import json
import re
from collections.abc import Sequence

from pipeline.config.data import Kind

# With fewer, there is no other row to compare the first or the last one with.
MIN_ROWS = 3


def quoted(text: str) -> str:
    """A text as a value in Hydra's grammar of overrides; one with line breaks, which that cannot
    escape, as a value in params.yaml."""
    if len(text.splitlines()) > 1:
        return json.dumps(text, ensure_ascii=False)
    bare = re.fullmatch(r"[a-z_]\w*(:[a-z_]\w*)?", text, re.ASCII | re.IGNORECASE)
    if bare and text.lower() not in {"null", "true", "false", "nan", "inf"}:
        return text
    # Hydra takes a backslash literally, except before a quote.
    escaped = re.sub(r"(\\*)('|$)", lambda at: at[1] * 2 + at[2].replace("'", "\\'"), text)
    return f"'{escaped}'"


def set_missing(cells: Sequence[str]) -> str:
    """How to have cells read as missing values."""
    listed = ", ".join(map(quoted, cells))
    they = "it stands for a missing value" if len(cells) == 1 else "they stand for missing values"
    return f"set data.reading.more_missing=[{listed}] if {they}"


def leave_out(name: str) -> str:
    """How to do without a column."""
    return f"leave it out with data.leave_out=[{quoted(name)}]"


def set_kind(name: str, kind: Kind) -> str:
    """How to give the kind of a column."""
    return _set("kinds", name, kind.value)


def set_formats(name: str, formats: list[str]) -> str:
    """How to give the formats of a column of dates."""
    return _set("date_formats", name, repr(formats if len(formats) > 1 else formats[0]))


def _set(key: str, name: str, value: str) -> str:
    if re.fullmatch(r"[a-z_]\w*", name, re.ASCII | re.IGNORECASE):
        return f"set data.{key}={{{name}: {value}}}"
    # YAML accepts any quoted name as a key, Hydra's command line does not.
    quoted_name = json.dumps(name, ensure_ascii=False)
    return f"write {key}: {{{quoted_name}: {value}}} under data in params.yaml"


def row_remedy(at: int, rows: int) -> str:
    """How to skip the first or the last row, if a cell is wrong at this position of these rows."""
    if rows < MIN_ROWS:
        return ""
    if at == 0:
        return ", set data.reading.units_row=true if the row holds units"
    if at == rows - 1:
        return ", set data.reading.skip_last=1 if the row is not part of the table"
    return ""
