"""The files of a table: which they are, and their bytes."""

import errno
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.runtime.errors import UserError
from pipeline.tables.file_kinds import COMPRESSED, XZ, ZIP

_TABLE = re.compile(
    r"(?!~\$)[^.].*\.((csv|tsv|parquet|pq)(\.(gz|bz2|xz|zip|zst))?|xlsx|xlsm|xlsb|xls|ods)",
    re.IGNORECASE,
)
_OTHER_SUFFIXES = {".txt", ".dat", ".data", ".tab", ".asc"}
_KINDS = "CSV, Parquet or Excel"
_FETCH = "run dvc pull, or dvc checkout if it is in DVC's cache"
_ENCRYPTED = 1  # this bit of a zip member's flags


def files_of(path: str) -> tuple[list[Path], list[str]]:
    """The files at a path, of a folder or a pattern all tables, sorted; and warnings. Raises
    UserError."""
    location = Path(path)
    warnings = []
    if location.is_dir():
        _check_fetched(location.glob("*.dvc"))
        files = _tables(location.iterdir())
        below = [file for file in _tables(location.rglob("*")) if _is_below(file, location)]
        if not files:
            advice = "put the table there or fix the path"
            others = sorted(file for file in location.iterdir() if file.suffix in _OTHER_SUFFIXES)
            if below:
                advice = f"its subfolders have: data.path={location}/** reads those"
            elif others:
                advice = f"data.path={location}/*{others[0].suffix} reads such as {others[0]}"
            raise UserError(f"{path}: the folder has no {_KINDS} files; {advice}")
        if below:
            warnings.append(
                f"{path}: tables in subfolders are not read, such as {below[0]};"
                f" data.path={location}/** reads them too"
            )
    elif re.search(r"[*?[]", path) and not location.exists():
        _check_fetched(map(Path, _matching(f"{path}.dvc")))
        # A suffix that the pattern names is that of a table.
        named = re.fullmatch(r"\.\w+", location.suffix)
        files = _tables(map(Path, _matching(path)), of_any_name=bool(named))
        if not files:
            raise UserError(f"{path}: matches no {_KINDS} file; fix the path")
    else:
        files = [location]
    for file in files:
        _check_file(file)
    return files, warnings


def _matching(pattern: str) -> list[str]:
    return glob(pattern, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern


def _tables(files: Iterable[Path], *, of_any_name: bool = False) -> list[Path]:
    return sorted(
        file for file in files if (of_any_name or _TABLE.fullmatch(file.name)) and not file.is_dir()
    )


def _is_below(file: Path, folder: Path) -> bool:
    """Whether a file is in a subfolder that is not hidden."""
    parts = file.relative_to(folder).parts
    return len(parts) > 1 and not any(part.startswith(".") for part in parts)


def _check_fetched(pointers: Iterable[Path]) -> None:
    """Raises UserError if DVC tracks a table that is not there: the others are not the whole."""
    for pointer in sorted(pointers):
        table = pointer.with_suffix("")
        if _TABLE.fullmatch(table.name) and not table.exists():
            raise UserError(f"{table}: is not there, only {pointer}; {_FETCH}")


def _check_file(file: Path) -> None:
    if file.is_symlink() and not file.exists():
        try:
            file.stat()
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise UserError(
                    f"{file}: is a link that leads back to itself; link it to the table"
                ) from error
        raise UserError(
            f"{file}: is a link to nowhere, {file.readlink()}; fix it or run dvc checkout"
        )
    if file.exists() and not file.is_file():
        raise UserError(f"{file}: is a pipe or a device; write its content to a file first")


@contextmanager
def explained(file: Path) -> Iterator[None]:
    """Turns what reading a file may raise into a UserError that names the file."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        for part in (file, *file.parents):
            if Path(f"{part}.dvc").is_file():
                raise UserError(f"{file}: is not there, only {part}.dvc; {_FETCH}") from error
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
        NotImplementedError,  # zipfile, for a compression that it does not know
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
    """The bytes of a file, decompressed; how it is compressed is known by its first bytes."""
    with file.open("rb") as stream:
        head = stream.read(8)
    if head.startswith(XZ):
        return lzma.open(file)
    if head.startswith(ZIP):
        return _only_member(file)
    kinds = [kind for magic, kind in COMPRESSED.items() if head.startswith(magic)]
    return pa.input_stream(str(file), compression=kinds[0] if kinds else None)


def _only_member(file: Path) -> Any:
    archive = zipfile.ZipFile(file)
    members = [
        member
        for member in archive.infolist()
        if not re.search(r"/$|^__MACOSX/|(^|/)\.", member.filename)
    ]
    if len(members) != 1:
        raise UserError(f"{file}: holds {len(members)} files instead of one table; unpack it")
    if members[0].flag_bits & _ENCRYPTED:
        raise UserError(f"{file}: is encrypted; unpack it with its password")
    return archive.open(members[0])
