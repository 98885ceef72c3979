"""What a file is, by its first bytes: its name may say something else."""

import re
import zipfile
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from enum import Enum
from pathlib import Path

from pipeline.runtime.errors import UserError


class FileKind(Enum):
    """The files that can hold a table."""

    CSV = "a CSV file"
    PARQUET = "a Parquet file"
    EXCEL = "an Excel file"


COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd"}
XZ, ZIP, PARQUET = b"\xfd7zXZ\0", b"PK\x03\x04", b"PAR1"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_WORKBOOKS = {"xl/workbook.xml", "xl/workbook.bin", "content.xml"}
_HEAD = 1024
_EXPORT = "export the table as CSV or Parquet"
# What starts a file that is no table, what it is, and what to do.
_OTHERS = (
    (rb"version https://git-lfs\.", "is a pointer of Git LFS, not the table; run git lfs pull"),
    (
        rb"(?:outs|md5|frozen|deps|wdir|meta):[^\n]*\n[\s\S]*\bpath: ",
        "is a pointer of DVC, not the table; run dvc pull and leave out .dvc in data.path",
    ),
    (rb"/annex/objects/", "is a pointer of git-annex, not the table; run git annex get"),
    (
        rb"(?i)\s*(?:[45]\d\d\b[^,;\t\n]*|not found|forbidden|access denied)\s*\Z",
        "is the error message of a web server, not a table; download the file itself",
    ),
    (
        rb"(?i)\s*<(?:!doctype|html|head|body|\?xml|!--|table|rss|svg)",
        "is a web page or other XML, not a table; download the file itself, by its raw link",
    ),
    (
        rb'\s*(?:\{\s*(?:"[^"]*"\s*:|\})|\[\s*(?:\{|\[|\]|"[^"]*"\s*[,\]]\s*$))',
        "is JSON, not a table; convert it, for example with pandas.read_json and to_csv",
    ),
    (
        rb"(?i)\s*(?:%[^\n]*\n\s*)*@relation\s",
        "is an ARFF file, as Weka has; convert it, for example with scipy.io.arff.loadarff",
    ),
    (PARQUET, "is a Parquet file within a compressed one; unpack it"),
    (
        b"|".join(map(re.escape, (ZIP, _OLE, XZ, *COMPRESSED))),
        "is an archive within a compressed file; unpack it",
    ),
    (rb"[\s\S]{257}ustar", "is a tar archive; unpack it and let data.path name the table"),
    (rb"%PDF-", f"is a PDF document; {_EXPORT}"),
    (rb"SQLite format 3\0", f"is an SQLite database; {_EXPORT}"),
    (rb"\x89HDF\r\n|ARROW1|FEA1|\x93NUMPY|\x80[\x02-\x05]", f"is a binary file; {_EXPORT}"),
    (rb"RDX[23]|RDA[23]|\$FL[23]@|<stata_dta>", f"is data of R, SPSS or Stata; {_EXPORT}"),
    (rb"7z\xbc\xaf\x27\x1c|Rar!", "is an archive; unpack it and let data.path name the table"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8", f"is a picture; {_EXPORT}"),
)


def kind_of(file: Path) -> FileKind:
    """What kind of table a file is. Raises OSError."""
    with file.open("rb") as stream:
        head = stream.read(8)
    if head.startswith(PARQUET):
        return FileKind.PARQUET
    if head == _OLE or (head.startswith(ZIP) and _is_workbook(file)):
        return FileKind.EXCEL
    return FileKind.CSV


def _is_workbook(file: Path) -> bool:
    with zipfile.ZipFile(file) as archive:
        return not _WORKBOOKS.isdisjoint(archive.namelist())


def check_is_text(file: Path, head: bytes, encoding: str) -> None:
    """Raises UserError if a decompressed file starts like something else than a CSV file."""
    for pattern, what in _OTHERS:
        if re.match(pattern, head.removeprefix(b"\xef\xbb\xbf")[:_HEAD]):
            raise UserError(f"{file}: {what}")
    pairs = head[: len(head) // 2 * 2]
    if encoding == "utf-8" and pairs and not head.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        # Of text in a Western language, every second byte is zero.
        for order, zeros in (("le", pairs[1::2]), ("be", pairs[::2])):
            if zeros.count(0) > 0.7 * len(zeros) and pairs.count(0) == zeros.count(0):
                raise UserError(
                    f"{file}: seems to be UTF-16 without a byte order mark; set"
                    f" data.reading.encoding=utf-16-{order}"
                )
