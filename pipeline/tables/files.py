"""The files of a table: which they are, and their bytes or text."""

import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.runtime.errors import UserError

_TABLE = re.compile(r"[^.].*\.(csv|tsv|parquet|pq)(\.(gz|bz2|xz|zip|zst))?", re.IGNORECASE)


def files_of(path: str) -> list[Path]:
    """The files at a path: of a folder or a pattern all tables, sorted. Raises UserError."""
    location = Path(path)
    if location.is_dir():
        files = _tables(location.iterdir())
        if not files:
            raise UserError(
                f"{path}: the folder has no CSV or Parquet files; put the table there or fix"
                " the path"
            )
    elif re.search(r"[*?[]", path) and not location.exists():
        files = _tables(map(Path, glob(path, recursive=True)))  # noqa: PTH207 - Path.glob takes no absolute pattern
        if not files:
            raise UserError(f"{path}: matches no CSV or Parquet file; fix the path")
    else:
        files = [location]
    for file in files:
        if file.is_symlink() and not file.exists():
            raise UserError(
                f"{file}: is a link to nowhere, {file.readlink()}; fix it or run dvc checkout"
            )
    return files


def _tables(files: Iterator[Path]) -> list[Path]:
    return sorted(file for file in files if _TABLE.fullmatch(file.name) and not file.is_dir())


def is_parquet(file: Path) -> bool:
    """By its name, or by its first bytes."""
    if file.suffix.lower() in {".parquet", ".pq"}:
        return True
    with explained(file), file.open("rb") as stream:
        return stream.read(4) == b"PAR1"


@contextmanager
def explained(file: Path) -> Iterator[None]:
    """Turns what reading a file may raise into a UserError that names the file."""
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(f"{file}: no such file; put the table there or fix the path") from error
    except PermissionError as error:
        raise UserError(f"{file}: may not be read; change the file's permissions") from error
    except UnicodeError as error:
        raise UserError(
            f"{file}: cannot be decoded: {getattr(error, 'reason', error)}; set"
            " data.reading.encoding"
        ) from error
    except (
        OSError,
        EOFError,
        zlib.error,
        lzma.LZMAError,
        zipfile.BadZipFile,
        pa.ArrowException,
    ) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:200].rstrip(".")
        raise UserError(
            f"{file}: cannot be read: {reason}; the file is damaged or not what its name says"
        ) from error


def uncompressed(file: Path) -> Any:
    """The bytes of a file, decompressed."""
    if file.suffix == ".xz":
        return lzma.open(file)
    if file.suffix == ".zip":
        archive = zipfile.ZipFile(file)
        members = [member for member in archive.infolist() if not member.is_dir()]
        if len(members) != 1:
            raise UserError(f"{file}: holds {len(members)} files instead of one table; unpack it")
        return archive.open(members[0])
    return pa.input_stream(str(file), compression="detect")


@contextmanager
def text_of(file: Path, encoding: str) -> Iterator[io.TextIOWrapper]:
    """The text of a file, decompressed; bytes that are not of the encoding become surrogates."""
    name = "utf-8-sig" if encoding == "utf-8" else encoding
    with (
        explained(file),
        uncompressed(file) as stream,
        io.TextIOWrapper(stream, name, errors="surrogateescape", newline="") as lines,
    ):
        yield lines
