"""From files to a table: what is detected, what is accepted, and how mistakes are reported."""

import bz2
import datetime as dt
import gzip
import lzma
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config.data import Reading
from pipeline.runtime.errors import UserError
from pipeline.schema.location import Location
from pipeline.tables import csv_reader
from pipeline.tables.reading import Raw, read

PLAIN = "a,b\n1,2.5\n3,4.5\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read_text(text: str | bytes, *, needed: tuple[str, ...] = ("a",), **settings: Any) -> Raw:
    data = text.encode() if isinstance(text, str) else text
    Path("t.csv").write_bytes(data)
    return read("t.csv", Reading(**settings), needed=needed)


def cells(raw: Raw) -> dict[str, list[Any]]:
    return {
        str(name): [None if pd.isna(cell) else cell for cell in column]
        for name, column in raw.table.items()
    }


def write_parquet(path: str, **columns: Any) -> None:
    pq.write_table(pa.table(columns), path)


def test_a_table_is_read_with_its_types() -> None:
    raw = read_text("a,b,c\n1,2.5,x\n3,,\n")

    assert cells(raw) == {"a": [1, 3], "b": [2.5, None], "c": ["x", None]}
    assert [str(kind) for kind in raw.table.dtypes] == ["int64", "float64", "str"]
    assert raw.table.index.equals(pd.RangeIndex(2))
    assert (raw.delimiter, raw.header, raw.marks.decimal) == (",", True, ".")
    assert raw.files == [("t.csv", 2)]


@pytest.mark.parametrize(
    ("text", "delimiter", "decimal", "expected"),
    [
        ("a;b\n1,5;2\n", ";", ",", {"a": [1.5], "b": [2]}),
        ("a;b\n1.5;2,x\n", ";", ".", {"a": [1.5], "b": ["2,x"]}),
        ("a\tb\n1\tx,y\n2\tz,w\n", "\t", ".", {"a": [1, 2], "b": ["x,y", "z,w"]}),
        ("a|b\n1|2\n", "|", ".", {"a": [1], "b": [2]}),
        ('a,b\n"1;2;3",2\n', ",", ".", {"a": ["1;2;3"], "b": [2]}),
        ("a\n1,5\n2,5\n", ";", ",", {"a": [1.5, 2.5]}),
        ("a\n1\n", ",", ".", {"a": [1]}),
        ("a;b,c;d\n1;2,3;4\n", ";", ",", {"a": [1], "b,c": [2.3], "d": [4]}),
    ],
)
def test_delimiter_and_decimal_are_found(
    text: str, delimiter: str, decimal: str, expected: dict[str, list[Any]]
) -> None:
    raw = read_text(text)

    assert (raw.delimiter, raw.marks.decimal) == (delimiter, decimal)
    assert cells(raw) == expected


def test_a_needed_name_decides_the_delimiter() -> None:
    text = "a;x,b;y,c;z,d;w\n1;2,3;4,5;6,7;8\n"

    assert read_text(text, needed=("d;w",)).delimiter == ","
    assert read_text(text, needed=("w",)).delimiter == ";"


@pytest.mark.parametrize(
    ("text", "settings", "expected"),
    [
        ("a:b\n1:2\n", {"delimiter": ":"}, {"a": [1], "b": [2]}),
        ("a;b\n1.234,5;x\n", {"thousands": "."}, {"a": [1234.5], "b": ["x"]}),
        ('a,b\n"1,234",2\n"12",3\n', {"thousands": ","}, {"a": [1234, 12], "b": [2, 3]}),
        ("a;b\n1.2.2020;1.000\n", {"thousands": "."}, {"a": ["1.2.2020"], "b": [1000]}),
        ('a,b\n"1,5",2\n', {"decimal": ","}, {"a": [1.5], "b": [2]}),
        ("a,b\n-,2\n3,NA\n", {"missing": ["-"]}, {"a": [None, 3], "b": ["2", "NA"]}),
        ("a,b\n-9,2\n3,NA\n", {"more_missing": ["-9"]}, {"a": [None, 3], "b": [2, None]}),
        ("a,b\né,2\n".encode("latin-1"), {"encoding": "latin-1"}, {"a": ["é"], "b": [2]}),
        ("a,b\né,2\n".encode("utf-16"), {"encoding": "utf-16"}, {"a": ["é"], "b": [2]}),
        ("1,2\n3,4\n", {"names": ["a", "b"]}, {"a": [1, 3], "b": [2, 4]}),
        ("1,2\n3,4\n", {"header": True, "delimiter": ","}, {"1": [3], "2": [4]}),
        ("x,y\n", {"header": False}, {"column_1": ["x"], "column_2": ["y"]}),
    ],
)
def test_settings_are_followed(
    text: Any, settings: dict[str, Any], expected: dict[str, list[Any]]
) -> None:
    assert cells(read_text(text, **settings)) == expected


def test_a_file_without_header_is_known_by_the_needed_names() -> None:
    raw = read_text("1,2\n3,4\n", needed=("column_2",))

    assert cells(raw) == {"column_1": [1, 3], "column_2": [2, 4]}
    assert not raw.header
    assert str(raw.location(1)) == "t.csv, row 2"


def test_a_header_of_years_is_known_by_a_needed_name() -> None:
    assert list(read_text("a,2019,2020\n1,2,3\n").table) == ["a", "2019", "2020"]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (["1", "2.5"], [1.0, 2.5]),
        (["1", "x"], ["1", "x"]),
        ([" 1", "2 ", " "], [1.0, 2.0, None]),
        ([" x", "y\t", "z"], ["x", "y", "z"]),
        (["NA ", "x"], [None, "x"]),
        (["+1.5", ".5", "2.", "1E3"], [1.5, 0.5, 2.0, 1000.0]),
        (["1e400", "-inf", "2"], [np.inf, -np.inf, 2.0]),
        (["true", "False"], ["true", "False"]),
        (["2020-01-02", "2020-01-03"], ["2020-01-02", "2020-01-03"]),
        (["2020-01-02 10:00", "2020-01-03T10:00"], ["2020-01-02 10:00", "2020-01-03T10:00"]),
        (["12:30"], ["12:30"]),
        (["=1+2", "'"], ["=1+2", "'"]),
        (["9007199254740993"], [9007199254740993]),
        (['"x\ny"', "z"], ["x\ny", "z"]),
        (['"x ""y"""'], ['x "y"']),
        (['"last\nlines"'], ["last\nlines"]),
        (["NA", ""], [None, None]),
    ],
)
def test_cells_become_numbers_or_text(column: list[str], expected: list[Any]) -> None:
    text = "a,b\n" + "".join(f"0,{cell}\n" for cell in column)

    assert cells(read_text(text))["b"] == expected


@pytest.mark.parametrize(
    ("early", "late", "expected"),
    [
        ("1", "2.5", 2.5),
        ("1", "x", "x"),
        ("1.5", "x", "x"),
        ("", "x", "x"),
        ("", "7", 7.0),
        ("2020-01-02", "x", "x"),
        ("true", "x", "x"),
    ],
)
def test_a_later_cell_can_change_the_type(
    early: str, late: str, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_reader, "_BLOCK", 100)
    monkeypatch.setattr(csv_reader, "_MERGED", 1000)
    text = "a,b\n" + f"0,{early}\n" * 1000 + f"0,{late}\n"

    column = read_text(text).table["b"]

    assert column.iloc[-1] == expected
    assert str(column.dtype) == ("str" if isinstance(expected, str) else "float64")
    if isinstance(expected, str) and early:
        assert column.iloc[0] == early


def test_many_columns_may_turn_out_to_be_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_reader, "_BLOCK", 10)
    names = ["a", *(f"c{number}" for number in range(30))]
    rows = [",".join(["1"] * 31)] * 100 + [",".join(["1", *["x"] * 30])]

    table = read_text("\n".join([",".join(names), *rows])).table

    assert [str(kind) for kind in table.dtypes] == ["int64"] + ["str"] * 30


def test_texts_stay_text() -> None:
    Path("t.csv").write_text("zip,b\n01234,1\n NA,2\n")
    write_parquet("t.parquet", zip=[1234, None], b=[1, 2])

    assert cells(read("t.csv", Reading(), texts=["zip"]))["zip"] == ["01234", None]
    assert cells(read("t.parquet", Reading(), texts=["zip"]))["zip"] == ["1234", None]


def test_blank_lines_a_byte_order_mark_and_padded_names_are_accepted() -> None:
    raw = read_text("\ufeff\n\n a , b\n1,2\n\n\n3,4\n\n")

    assert cells(raw) == {"a": [1, 3], "b": [2, 4]}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_end_is_accepted(end: str) -> None:
    assert cells(read_text(PLAIN.replace("\n", end))) == {"a": [1, 3], "b": [2.5, 4.5]}


def zipped(data: bytes) -> bytes:
    with zipfile.ZipFile("made.zip", "w") as archive:
        archive.writestr("t.csv", data)
    return Path("made.zip").read_bytes()


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [
        ("gz", gzip.compress),
        ("bz2", bz2.compress),
        ("xz", lzma.compress),
        ("zip", zipped),
        ("zst", lambda data: pa.compress(data, "zstd", asbytes=True)),
    ],
)
def test_compressed_files_are_read(suffix: str, compress: Callable[[bytes], bytes]) -> None:
    Path(f"t.csv.{suffix}").write_bytes(compress(PLAIN.encode()))

    assert cells(read(f"t.csv.{suffix}", Reading())) == {"a": [1, 3], "b": [2.5, 4.5]}


def fill(folder: str, **files: str) -> None:
    Path(folder).mkdir()
    for name, text in files.items():
        Path(folder, f"{name}.csv").write_text(text)


@pytest.mark.parametrize("path", ["many", "many/*.csv", "m*y/[xyz].csv"])
def test_a_folder_or_a_pattern_is_all_its_tables(path: str) -> None:
    fill("many", y="a,b\n3,u\n4,\n", x="a,b\n1,7\n\n2,8\n", z="b,a\nv,0.5\n")
    for name in (".gitignore", ".hidden.csv", "x.csv.dvc", "README.md"):
        Path("many", name).write_text("no table")
    Path("many", "sub.csv").mkdir()

    raw = read(path, Reading(), needed=["a"])

    assert cells(raw) == {"a": [1, 2, 3, 4, 0.5], "b": ["7", "8", "u", None, "v"]}
    assert raw.files == [("many/x.csv", 2), ("many/y.csv", 2), ("many/z.csv", 1)]
    assert [str(raw.location(row)) for row in (0, 1, 2, 4)] == [
        "many/x.csv, row 1 below the header",
        "many/x.csv, row 2 below the header",
        "many/y.csv, row 1 below the header",
        "many/z.csv, row 1 below the header",
    ]


def test_a_decimal_comma_in_any_file_holds_for_all() -> None:
    fill("many", x="a;b\n1;2\n", y="a;b\n1,5;2\n")

    assert cells(read("many", Reading()))["a"] == [1, 1.5]


def test_a_part_may_have_no_rows() -> None:
    fill("many", x="a,b", y=PLAIN)

    assert read("many", Reading()).files == [("many/x.csv", 0), ("many/y.csv", 2)]


def test_parquet_keeps_its_types() -> None:
    moment = dt.datetime(2020, 1, 2, 3, tzinfo=dt.UTC)
    write_parquet(
        "t.parquet",
        whole=pa.array([1, 2], pa.int16()),
        huge=pa.array([2**64 - 1, 0], pa.uint64()),
        half=pa.array([1.5, None], pa.float32()),
        money=pa.array([1, None], pa.int32()).cast(pa.decimal128(12, 2)),
        flag=[True, False],
        maybe=[True, None],
        kind=pa.array(["x", None]).dictionary_encode(),
        code=pa.array([7, 8]).dictionary_encode(),
        day=[moment.date(), None],
        zoned=pa.array([moment, None], pa.timestamp("ns", "Europe/Berlin")),
        none=pa.nulls(2),
    )

    raw = read("t.parquet", Reading())

    assert {name: str(kind) for name, kind in raw.table.dtypes.items()} == {
        "whole": "int64",
        "huge": "float64",
        "half": "float64",
        "money": "float64",
        "flag": "bool",
        "maybe": "str",
        "kind": "str",
        "code": "int64",
        "day": "datetime64[us]",
        "zoned": "datetime64[us, UTC]",
        "none": "float64",
    }
    assert raw.table["zoned"][0] == moment
    assert cells(raw)["maybe"] == ["true", None]
    assert (raw.delimiter, raw.header, raw.marks.decimal) == (None, True, ".")
    assert str(raw.location(1)) == "t.parquet, row 2"


def test_parquet_columns_may_have_dots() -> None:
    write_parquet("t.parquet", **{"a": [1], "a.b": [2], " c": [3]})

    assert cells(read("t.parquet", Reading())) == {"a": [1], "a.b": [2], "c": [3]}


def test_parquet_is_known_by_its_first_bytes_too() -> None:
    write_parquet("table", a=[1])

    assert cells(read("table", Reading())) == {"a": [1]}


@pytest.mark.parametrize(("name", "columns"), [(None, ["a"]), ("id", ["a", "id"])])
def test_an_index_is_a_column_only_by_name(name: str | None, columns: list[str]) -> None:
    pd.DataFrame({"a": [1, 2]}, index=pd.Index([5, 7], name=name)).to_parquet("t.parquet")

    table = read("t.parquet", Reading()).table

    assert list(table) == columns
    assert table.index.equals(pd.RangeIndex(2))


def test_parquet_parts_are_joined() -> None:
    Path("many").mkdir()
    write_parquet("many/1.parquet", a=[1], b=pa.nulls(1))
    write_parquet("many/2.parquet", b=["x"], a=[2.5])

    assert cells(read("many", Reading())) == {"a": [1.0, 2.5], "b": [None, "x"]}


def test_the_diabetes_table_needs_no_file() -> None:
    raw = read("sklearn:diabetes", Reading())

    assert raw.table.shape == (442, 11)
    assert raw.table["age"].max() > 70  # years, not standard deviations
    assert str(raw.location(2)) == "sklearn:diabetes, row 3"


def test_thousands_of_columns_are_read() -> None:
    names = ",".join(["a", *(f"c{number}" for number in range(2999))])
    row = ",".join(["1.5"] * 3000)

    assert read_text(f"{names}\n{row}\n{row}\n").table.shape == (2, 3000)


UNCLOSED = "; close it, double it if it is part of the text, or set data.reading.delimiter"


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        ("", {}, "t.csv: the file is empty; it needs a header and rows"),
        ("\n \n", {}, "t.csv: the file is empty; it needs a header and rows"),
        ("a,b", {}, "t.csv: the table has columns but no rows; add rows or fix the path"),
        ("a,b\n", {}, "t.csv: the table has columns but no rows; add rows or fix the path"),
        (
            "a,b,c\n1,2,3\n\n1,2\n",
            {},
            (
                "t.csv, row 2 below the header: has 2 fields, but the header has 3; fix the"
                " row or set data.reading.delimiter, or data.reading.skip_last=1 if the last row"
                " is not part of the table"
            ),
        ),
        (
            "a,b,c\n1,2,3,4\n1,2,3,4\n",
            {},
            (
                "t.csv, row 1 below the header: has 4 fields, but the header has 3; fix the"
                " row or set data.reading.delimiter, or data.reading.skip_last=2 if the last 2"
                " rows are not part of the table"
            ),
        ),
        (
            "1,2\n3\n",
            {"header": False},
            (
                "t.csv, row 2: has 1 field, but the first row has 2; fix the row or set"
                " data.reading.delimiter, or data.reading.skip_last=1 if the last row is not part"
                " of the table"
            ),
        ),
        (
            'a,b\n1,2\n3,"4\n5,6\n',
            {},
            "t.csv, row 2 below the header: a quote opens there and does not close" + UNCLOSED,
        ),
        (
            'a,"b\n1,2\n',
            {},
            "t.csv, the header: a quote opens there and does not close" + UNCLOSED,
        ),
        (
            'a,b\n1,2\n"3,4\n5,6\n',
            {},
            "t.csv, row 2 below the header: a quote opens there and does not close" + UNCLOSED,
        ),
        (
            'a,b\n1,x\n3,"4' + "\n5,x" * 600_000,
            {},
            "t.csv, row 2 below the header: has an endless field, as if a quote did not close"
            + UNCLOSED,
        ),
        (
            "a,b\n1,x\n2,é\n".encode("latin-1"),
            {},
            (
                "t.csv, row 2 below the header: the byte 0xe9 is not utf-8; set"
                " data.reading.encoding, perhaps to cp1252"
            ),
        ),
        (
            b"a,b\n" + b"1,x\n" * 300 + b"2,\xe9\n",
            {},
            (
                "t.csv, row 301 below the header: the byte 0xe9 is not utf-8; set"
                " data.reading.encoding, perhaps to cp1252"
            ),
        ),
        (
            "a,ä\n1,x\n".encode("latin-1"),
            {},
            (
                "t.csv, the header: the byte 0xe4 is not utf-8; set data.reading.encoding,"
                " perhaps to cp1252"
            ),
        ),
        (
            "a,b\n1,x\n".encode("utf-16"),
            {"header": True},
            (
                "t.csv, the header: the byte 0xff is not utf-8; set data.reading.encoding,"
                " perhaps to utf-16"
            ),
        ),
        (
            b"a,b\n1,2\n",
            {"encoding": "utf-16"},
            (
                "t.csv: cannot be decoded: UTF-16 stream does not start with BOM; set"
                " data.reading.encoding"
            ),
        ),
        (
            PLAIN,
            {"encoding": "rot13"},
            (
                "data.reading.encoding: there is no encoding 'rot13'; utf-8, utf-16 and cp1252"
                " are some"
            ),
        ),
        (
            "c" * 200_000,
            {},
            "t.csv, the header: has an endless field, as if a quote did not close" + UNCLOSED,
        ),
        (
            PLAIN,
            {"encoding": "latin-0"},
            (
                "data.reading.encoding: there is no encoding 'latin-0'; utf-8, utf-16 and"
                " cp1252 are some"
            ),
        ),
        (
            b"a,b\n1,2\n3,x\0y\n",
            {},
            (
                "t.csv, row 2 below the header: has a NUL byte, so the file is damaged or not"
                " text; fix it or set data.reading.encoding"
            ),
        ),
        (
            b"a,b\n" + b"1,2\n" * 300 + b"3,\0\n",
            {},
            (
                "t.csv, row 301 below the header: has a NUL byte, so the file is damaged or"
                " not text; fix it or set data.reading.encoding"
            ),
        ),
        (
            "a:b\n1:2\n",
            {},
            (
                "t.csv: has one column, 'a:b', and none that is needed (a); set"
                " data.reading.delimiter=':', or data.reading.skip_rows to the number of lines"
                " above the header"
            ),
        ),
        (
            "a;b\n1;2\n",
            {"delimiter": ","},
            (
                "t.csv: has one column, 'a;b', and none that is needed (a); set"
                " data.reading.delimiter=';', or data.reading.skip_rows to the number of lines"
                " above the header"
            ),
        ),
        (
            "1,2\n3,4\n",
            {},
            (
                "t.csv: seems to have no header, because the first line has the number 1; its"
                " columns are then called column_1 to column_2: set data.target to one of"
                " them, or data.reading.names, or data.reading.header=true if it is one"
            ),
        ),
        (
            "1,2\n3,4\n",
            {"names": ["a"]},
            "t.csv: has 2 columns, but data.reading.names names 1; name each column",
        ),
    ],
)
def test_a_bad_file_is_explained(text: str | bytes, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as raised:
        read_text(text, **settings)
    assert str(raised.value) == message


def make_parquet(path: str) -> bytes:
    write_parquet(path, a=list(range(100)))
    return Path(path).read_bytes()


def dangling() -> None:
    Path("t.csv").symlink_to("gone.csv")


def two_in_a_zip() -> None:
    with zipfile.ZipFile("t.zip", "w") as archive:
        archive.writestr("a.csv", PLAIN)
        archive.writestr("b.csv", PLAIN)


def both_kinds() -> None:
    fill("many", a=PLAIN)
    write_parquet("many/b.parquet", a=[1])


def unlike_parquet() -> None:
    Path("many").mkdir()
    write_parquet("many/1.parquet", a=[1])
    write_parquet("many/2.parquet", a=["x"])


DAMAGED = "; the file is damaged or not what its name says"


@pytest.mark.parametrize(
    ("path", "make", "message"),
    [
        ("t.csv", lambda: None, "t.csv: no such file; put the table there or fix the path"),
        ("t.csv", dangling, "t.csv: is a link to nowhere, gone.csv; fix it or run dvc checkout"),
        (
            "many",
            lambda: Path("many").mkdir(),
            (
                "many: the folder has no CSV, Parquet or Excel files; put the table there or fix"
                " the path"
            ),
        ),
        ("*.csv", lambda: None, "*.csv: matches no CSV, Parquet or Excel file; fix the path"),
        (
            "many",
            both_kinds,
            (
                "many/b.parquet: is a Parquet file, but many/a.csv is a CSV file; let"
                " data.path name files of one kind"
            ),
        ),
        (
            "many",
            lambda: fill("many", x=PLAIN, y="a,c\n1,2\n"),
            "many/y.csv: lacks the column 'b', unlike many/x.csv; give all files the same columns",
        ),
        (
            "many",
            lambda: fill("many", x=PLAIN, y="a,b,c\n1,2,3\n"),
            "many/y.csv: has a column 'c', unlike many/x.csv; give all files the same columns",
        ),
        (
            "many",
            lambda: fill("many", x=PLAIN, y="a,b\n1,2\n1\n"),
            (
                "many/y.csv, row 2 below the header: has 1 field, but the header has 2; fix"
                " the row or set data.reading.delimiter, or data.reading.skip_last=1 if the last"
                " row is not part of the table"
            ),
        ),
        (
            "many",
            unlike_parquet,
            (
                "many/2.parquet: column 'a' is string, but int64 in many/1.parquet; write both as"
                " one type"
            ),
        ),
        ("t.zip", two_in_a_zip, "t.zip: holds 2 files instead of one table; unpack it"),
        (
            "t.csv.xz",
            lambda: Path("t.csv.xz").write_bytes(lzma.compress(os.urandom(99))[:50]),
            "t.csv.xz: cannot be read: Compressed file ended before the end-of-stream marker was"
            " reached" + DAMAGED,
        ),
        (
            "t.parquet",
            lambda: Path("t.parquet").write_bytes(make_parquet("t.parquet")[:-9]),
            "t.parquet: cannot be read: Parquet magic bytes not found in footer. Either the file"
            " is corrupted or this is not a parquet file" + DAMAGED,
        ),
        (
            "t.parquet",
            lambda: write_parquet("t.parquet", a=pa.array([], pa.int64())),
            "t.parquet: the table has columns but no rows; add rows or fix the path",
        ),
        (
            "t.parquet",
            lambda: write_parquet("t.parquet", a=[[1, 2]]),
            (
                "t.parquet: column 'a' is list<element: int64>, not numbers, text or dates; write"
                " its parts as columns"
            ),
        ),
        (
            "sklearn:iris",
            lambda: None,
            "data.path: there is no table 'sklearn:iris'; known is sklearn:diabetes",
        ),
    ],
)
def test_a_bad_path_is_explained(path: str, make: Callable[[], object], message: str) -> None:
    make()
    with pytest.raises(UserError) as raised:
        read(path, Reading(), needed=["a"])
    assert str(raised.value) == message


def test_a_forbidden_file_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    Path("t.csv").touch()
    with pytest.raises(UserError, match=r"t\.csv: may not be read; change the file's permissions"):
        read("t.csv", Reading())


def test_headers_that_are_repeated_are_left_out() -> None:
    raw = read_text("a,b\n1,x\na, b\n3,z\na,b\n4,q\n")
    assert cells(raw) == {"a": ["1", "3", "4"], "b": ["x", "z", "q"]}
    assert raw.location(2) == Location("t.csv", 5, below_header=True)
    assert raw.warnings == [
        "t.csv, row 2 below the header: repeats the header; left out, with 1 more"
    ]
    assert read_text("a,b\na,c\nd,b\n").warnings == []
