"""Which files a table has, and how they are opened."""

import bz2
import gzip
import lzma
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.config.data import Reading
from pipeline.runtime.errors import UserError
from pipeline.tables.reading import read

PLAIN = "a,y\n1,2\n3,4\n"
FETCH = "; run dvc pull, or dvc checkout if it is in DVC's cache"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(*paths: str) -> None:
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(PLAIN)


def refusal(path: str) -> str:
    with pytest.raises(UserError) as raised:
        read(path, Reading(), needed=["y"])
    return str(raised.value)


def rows(path: str) -> int:
    return len(read(path, Reading(), needed=["y"]).table)


def test_tables_in_subfolders_are_read_by_the_pattern_that_is_said() -> None:
    write("many/x.csv", "many/sub/z.csv", "many/.hidden/w.csv")

    raw = read("many", Reading(), needed=["y"])
    assert len(raw.table) == 2
    (line,) = raw.warnings
    assert line == (
        "many: tables in subfolders are not read, such as many/sub/z.csv; data.path=many/** reads"
        " them too"
    )
    assert rows("many/**") == 4
    Path("many/x.csv").unlink()
    assert refusal("many").endswith("its subfolders have: data.path=many/** reads those")


@pytest.mark.parametrize("path", ["many/x.csv", "many", "many/*.csv"])
def test_a_table_of_which_only_dvc_s_file_is_there_is_fetched(path: str) -> None:
    """A part of a table that is not there would be missing without a word."""
    write("many/y.csv", "many/y.csv.dvc", "many/x.csv.dvc")

    assert refusal(path) == "many/x.csv: is not there, only many/x.csv.dvc" + FETCH


def test_a_table_in_a_folder_that_dvc_tracks_is_fetched() -> None:
    write("raw/many.dvc")

    assert refusal("raw/many/x.csv") == "raw/many/x.csv: is not there, only raw/many.dvc" + FETCH
    assert refusal("raw/many") == "raw/many: is not there, only raw/many.dvc" + FETCH


def test_a_pattern_may_name_another_suffix() -> None:
    write("many/x.txt", "many/y.txt", "many/~$z.xlsx")

    Path("many/~$z.xlsx").touch()
    assert refusal("many").endswith("; data.path=many/*.txt reads such as many/x.txt")
    assert rows("many/*.txt") == 4
    assert refusal("many/*").startswith("many/*: matches no CSV, Parquet or Excel file")


def test_a_link_that_leads_to_itself_is_explained() -> None:
    Path("t.csv").symlink_to("t.csv")

    assert refusal("t.csv") == "t.csv: is a link that leads back to itself; link it to the table"


@pytest.mark.parametrize("folder", [False, True])
def test_a_pipe_is_not_waited_for(*, folder: bool) -> None:
    Path("many").mkdir()
    os.mkfifo("many/t.csv")

    path = "many" if folder else "many/t.csv"
    assert refusal(path) == "many/t.csv: is a pipe or a device; write its content to a file first"
    assert refusal("/dev/null").startswith("/dev/null: is a pipe or a device; ")


def zipped(data: bytes) -> bytes:
    with zipfile.ZipFile("made.zip", "w") as archive:
        archive.writestr("t.csv", data)
        archive.writestr("__MACOSX/._t.csv", b"\0")
        archive.writestr("many/.DS_Store", b"\0")
    return Path("made.zip").read_bytes()


@pytest.mark.parametrize(
    "compress",
    [
        gzip.compress,
        bz2.compress,
        lzma.compress,
        zipped,
        lambda data: pa.compress(data, "zstd", asbytes=True),
        lambda data: data,
    ],
)
@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.zip", "t.xlsx", "t.parquet"])
def test_files_are_known_by_their_first_bytes(
    name: str, compress: Callable[[bytes], bytes]
) -> None:
    Path(name).write_bytes(compress(PLAIN.encode()))

    assert rows(name) == 2


def test_an_encrypted_zip_is_explained() -> None:
    data = bytearray(zipped(PLAIN.encode()))
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + flags] |= 1
    Path("t.zip").write_bytes(data)

    assert refusal("t.zip") == "t.zip: is encrypted; unpack it with its password"
