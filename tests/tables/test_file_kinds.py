"""Files that are something else than a table."""

import gzip
import io
import tarfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.config.data import Reading
from pipeline.runtime.errors import UserError
from pipeline.tables.reading import read

TABLE = pd.DataFrame({"a": [1, 2], "y": [3, 4]})
PLAIN = TABLE.to_csv(index=False)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refusal(content: str | bytes, **settings: Any) -> str:
    Path("t.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UserError) as raised:
        read("t.csv", Reading(**settings), needed=["y"])
    return str(raised.value).removeprefix("t.csv: ")


def tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("t.csv"))
    return compressed(stream.getvalue())


def compressed(content: bytes) -> bytes:
    """Without the time, which would be in the names of the tests."""
    return gzip.compress(content, mtime=0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<!DOCTYPE html>\n<html>", "is a web page or other XML, not a table; download the file"),
        ("\n  <HTML><body>", "is a web page or other XML, not a table; "),
        ("<?xml version='1.0'?><a/>", "is a web page or other XML, not a table; "),
        (
            "version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 1\n",
            "is a pointer of Git LFS, not the table; run git lfs pull",
        ),
        (
            "outs:\n- md5: 4d\n  size: 3\n  hash: md5\n  path: t.csv\n",
            "is a pointer of DVC, not the table; run dvc pull and leave out .dvc in data.path",
        ),
        (TABLE.to_json(), "is JSON, not a table; convert it, for example with pandas.read_json"),
        (TABLE.to_json(orient="records"), "is JSON, not a table; "),
        (TABLE.to_json(orient="records", lines=True), "is JSON, not a table; "),
        (TABLE.to_json(orient="values"), "is JSON, not a table; "),
        (compressed(TABLE.to_json().encode()), "is JSON, not a table; "),
        (tar(), "is a tar archive; unpack it and let data.path name the table"),
        ("404: Not Found", "is the error message of a web server, not a table; download the file"),
        ("/annex/objects/SHA256E-s1--4d.csv\n", "is a pointer of git-annex, not the table; run"),
        (b"%PDF-1.7\n", "is a PDF document; export the table as CSV or Parquet"),
        (b"SQLite format 3\0" + bytes(90), "is an SQLite database; export"),
        (compressed(b"RDX3\nX\n\0"), "is data of R, SPSS or Stata; export"),
        (compressed(b"PK\3\4" + bytes(20)), "is an archive within a compressed file; unpack it"),
        (compressed(compressed(b"a")), "is an archive within a compressed file; unpack it"),
        ("% x\n@RELATION t\n@attribute y numeric\n@data\n1\n", "is an ARFF file, as Weka has"),
        (b"\x89PNG\r\n", "is a picture; export"),
    ],
)
def test_a_file_that_is_no_table_is_named_with_what_to_do(
    content: str | bytes, message: str
) -> None:
    assert refusal(content).startswith(message)


@pytest.mark.parametrize("order", ["le", "be"])
def test_text_of_two_bytes_without_a_mark_is_read_as_the_error_says(order: str) -> None:
    data = PLAIN.encode(f"utf-16-{order}")

    assert refusal(data) == (
        f"seems to be UTF-16 without a byte order mark; set data.reading.encoding=utf-16-{order}"
    )
    Path("t.csv").write_bytes(data)
    table = read("t.csv", Reading(encoding=f"utf-16-{order}"), needed=["y"]).table
    pd.testing.assert_frame_equal(table, TABLE)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_the_encoding_of_a_byte_order_mark_is_named(encoding: str) -> None:
    data = PLAIN.encode(encoding)

    assert refusal(data).endswith(f"set data.reading.encoding, perhaps to {encoding}")
    Path("t.csv").write_bytes(data)
    table = read("t.csv", Reading(encoding=encoding), needed=["y"]).table
    pd.testing.assert_frame_equal(table, TABLE)


def test_lines_within_quotes_are_named() -> None:
    assert refusal("".join(f'"{line}"\n' for line in PLAIN.splitlines())) == (
        "each line is within quotes, such as 'a,y', so that it is one column; write the file"
        " without them"
    )


def test_text_of_windows_is_read_as_the_error_says() -> None:
    """In latin-1, the euro sign would be an invisible character."""
    data = "preis_€,y\n1,2\n".encode("cp1252")

    assert refusal(data).endswith("set data.reading.encoding, perhaps to cp1252")
    Path("t.csv").write_bytes(data)
    assert list(read("t.csv", Reading(encoding="cp1252")).table) == ["preis_€", "y"]


@pytest.mark.parametrize(("text", "encoding"), [("цена", "cp1251"), ("重さ", "shift_jis")])
def test_text_of_another_script_is_not_advised_to_be_western(text: str, encoding: str) -> None:
    assert refusal(f"{text},y\n1,2\n".encode(encoding)).endswith(
        "set data.reading.encoding, perhaps to cp1251, gb18030, shift_jis or euc_kr"
    )


def test_text_of_windows_that_is_read_as_latin_1_is_warned_of() -> None:
    Path("t.csv").write_bytes("preis_€,y\n1,2\n".encode("cp1252"))

    (line,) = read("t.csv", Reading(encoding="latin-1")).warnings
    assert line == (
        "t.csv: has bytes that latin-1 has no characters for, but Windows has: set"
        " data.reading.encoding=cp1252"
    )


@pytest.mark.parametrize(
    "start", ["[a],y\n1,2\n", "{x},y\n1,2\n", "version,y\n1,2\n", "<5,y\n1,2\n"]
)
def test_a_table_that_starts_like_something_else_is_read(start: str) -> None:
    Path("t.csv").write_text(start)

    assert read("t.csv", Reading(), needed=["y"]).table["y"].tolist() == [2]
