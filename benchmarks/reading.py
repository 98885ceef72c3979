"""What is read of a folder of tables: which are refused, and which columns are doubtful.

    python -m benchmarks.reading FOLDER [--write RESULT.json] [--compare RESULT.json]

It counts the refused tables by message, and lists the columns that were taken for something
else than they look like. With an earlier result it lists each column that is read otherwise.
The looks are judged by rules of its own, so that they do not repeat the reader's.
"""

import argparse
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.config.data import Kind, Reading
from pipeline.runtime.errors import UserError
from pipeline.schema.conversion import conform
from pipeline.schema.inference import infer_schema
from pipeline.tables.reading import read

TABLE = re.compile(
    r".*\.(csv|tsv|txt|dat|data|parquet|xlsx)(\.(gz|bz2|xz|zip|zst))?", re.IGNORECASE
)
# Digits, marks and blanks, with at most three letters or signs such as $ or % on either side.
NUMBER = r"^[^\w.,]*[A-Za-z]{0,3}[^\w.,]*[\d.,'\s]*\d[\d.,'\s]*[^\w]*[A-Za-z]{0,3}\W*$"
MIN_SHARE = 0.5
DATES = 19_000_101, 20_301_231


def read_table(path: Path) -> dict[str, Any]:
    """Either the message with which a table is refused, or its columns: kind, hash of the
    values, and why one is doubtful."""
    try:
        raw = read(str(path), Reading())
        schema = infer_schema(raw.table, {})
        rows = conform(raw.table, schema, raw.location)
        texts = read(str(path), Reading(), texts=set(raw.table.columns)).table
    except UserError as error:
        return {"refused": str(error).splitlines()[0]}
    return {
        "columns": {
            name: {
                "kind": column.kind.value,
                "hash": f"{pd.util.hash_pandas_object(rows[name], index=False).sum():x}",
                "doubts": sorted(_doubts(column.kind, rows[name], texts[name].dropna())),
            }
            for name, column in schema.columns.items()
        }
    }


def _doubts(kind: Kind, values: "pd.Series[Any]", cells: "pd.Series[Any]") -> Iterator[str]:
    cells = cells.astype("str")
    if kind is Kind.category and len(cells):
        numbers = cells.str.contains(r"\d") & cells.str.contains(NUMBER)
        if numbers.mean() > MIN_SHARE:
            yield f"numbers as text, such as {cells[numbers].iloc[0]!r}"
        elif cells.str.contains(r"\d").mean() > MIN_SHARE:
            dates = pd.to_datetime(cells, format="mixed", errors="coerce", utc=True).notna()
            if dates.mean() > 2 * MIN_SHARE - 0.1:
                yield f"dates as text, such as {cells.iloc[0]!r}"
    if kind is Kind.numeric:
        present = values.dropna()
        if cells.str.contains(r"^0\d").any():
            yield f"leading zeros, such as {cells[cells.str.contains(r'^0[0-9]')].iloc[0]!r}"
        if len(present) and present.between(*DATES).all():
            yield f"dates as numbers, such as {present.iloc[0]:.0f}"
        yield from _repeated_end(present)


def _repeated_end(values: "pd.Series[Any]") -> Iterator[str]:
    """A value that is repeated at an end of the range, away from all others."""
    counts = values.value_counts().sort_index()
    if len(counts) < 10:
        return
    for end, others in ((0, counts.index[1:]), (-1, counts.index[:-1])):
        gap = min(abs(counts.index[end] - others[0]), abs(counts.index[end] - others[-1]))
        if counts.iloc[end] > 1 and gap > (others[-1] - others[0]):
            yield f"{counts.index[end]:g} {counts.iloc[end]} times, the others from {others[0]:g}"


def _kind_of_message(message: str, path: Path) -> str:
    """A message without what is particular to one table."""
    text = message.replace(str(path), "FILE")
    return re.sub(r"\d+", "N", re.sub(r"'[^']*'|\"[^\"]*\"", "'…'", text))[:150]


def _changes(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    for file in sorted(set(before) & set(after)):
        old, new = before[file], after[file]
        if "refused" in old:
            if "refused" not in new:
                yield f"{file}: was refused, is read"
            continue
        if "refused" in new:
            yield f"{file}: was read, is refused: {new['refused']}"
            continue
        for name, column in old["columns"].items():
            found = new["columns"].get(name)
            if found is None:
                yield f"{file}: {name!r} is gone"
            elif found["kind"] != column["kind"]:
                yield f"{file}: {name!r} was {column['kind']}, is {found['kind']}"
            elif found["hash"] != column["hash"]:
                yield f"{file}: {name!r} has other values"


def main() -> None:
    parser = argparse.ArgumentParser("benchmarks.reading", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", type=Path, help="a file for the result")
    parser.add_argument("--compare", type=Path, help="an earlier result")
    arguments = parser.parse_args()
    paths = sorted(
        path
        for path in arguments.folder.rglob("*")
        if path.is_file() and TABLE.fullmatch(path.name)
    )
    found = {str(path.relative_to(arguments.folder)): read_table(path) for path in paths}
    if arguments.write:
        arguments.write.write_text(json.dumps(found, indent=1, ensure_ascii=False), "utf-8")
    messages = Counter(
        _kind_of_message(one["refused"], arguments.folder / file)
        for file, one in found.items()
        if "refused" in one
    )
    columns = {
        (file, name): column
        for file, one in found.items()
        for name, column in one.get("columns", {}).items()
    }
    print(f"{len(found)} tables, {messages.total()} refused:")
    for text, count in messages.most_common():
        print(f"  {count:4d}  {text}")
    kinds = Counter(column["kind"] for column in columns.values())
    print(f"{len(columns)} columns: {', '.join(f'{n} {kind}' for kind, n in kinds.most_common())}")
    doubtful = [(where, doubt) for where, column in columns.items() for doubt in column["doubts"]]
    print(f"{len(doubtful)} doubtful:")
    for (file, name), doubt in doubtful:
        print(f"  {file}, {name!r}: {doubt}")
    if arguments.compare:
        changes = list(_changes(json.loads(arguments.compare.read_text("utf-8")), found))
        print(f"{len(changes)} read otherwise:")
        for change in changes:
            print(f"  {change}")


if __name__ == "__main__":
    main()
