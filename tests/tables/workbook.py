"""Excel files as small as they can be, written without a library."""

import datetime as dt
import zipfile
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
# Cell formats: 0 general, 1 a date, 2 hours and minutes of a duration.
_STYLES = (
    f'<styleSheet {_MAIN}><numFmts count="1"><numFmt numFmtId="164" formatCode="[h]:mm"/></numFmts>'
    "<cellXfs>"
    '<xf numFmtId="0"/><xf numFmtId="22"/><xf numFmtId="164"/></cellXfs></styleSheet>'
)
_EPOCH = dt.datetime(1899, 12, 30)  # noqa: DTZ001 - Excel knows no zones


def write_workbook(
    path: str,
    *sheets: Sequence[Sequence[Any]],
    merged: str | None = None,
    names: Sequence[str] = ("Data", "Other"),
) -> None:
    """A workbook with these rows; #N/A is an error, and a text that starts with = a formula whose
    saved value is 7."""
    types = "".join(
        f'<Override PartName="/xl/{part}.xml" ContentType="{_TYPE}.{kind}+xml"/>'
        for part, kind in (("workbook", "sheet.main"), ("worksheets/sheet1", "worksheet"))
    )
    files = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">{types}</Types>',
        "_rels/.rels": (
            f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="w"'
            f' Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
        ),
        "xl/styles.xml": _STYLES,
    }
    entries, links = "", ""
    for number, (name, rows) in enumerate(zip(names, sheets, strict=False), start=1):
        merge = f'<mergeCells><mergeCell ref="{merged}"/></mergeCells>' if merged else ""
        body = "".join(
            f'<row r="{row}">' + "".join(map(_cell, cells)) + "</row>"
            for row, cells in enumerate(rows, start=1)
        )
        files[f"xl/worksheets/sheet{number}.xml"] = (
            f"<worksheet {_MAIN}><sheetData>{body}</sheetData>{merge}</worksheet>"
        )
        entries += f'<sheet name="{name}" sheetId="{number}" r:id="r{number}"/>'
        links += (
            f'<Relationship Id="r{number}" Type="{_OFFICE}/worksheet"'
            f' Target="worksheets/sheet{number}.xml"/>'
        )
    files["xl/workbook.xml"] = (
        f'<workbook {_MAIN} xmlns:r="{_OFFICE}"><sheets>{entries}</sheets></workbook>'
    )
    files["xl/_rels/workbook.xml.rels"] = (
        f'<Relationships xmlns="{_PACKAGE}/relationships">{links}'
        f'<Relationship Id="s" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>'
    )
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    assert Path(path).is_file()


def _cell(value: Any) -> str:  # noqa: PLR0911 - one per type
    match value:
        case None:
            return "<c/>"
        case bool():
            return f'<c t="b"><v>{int(value)}</v></c>'
        case dt.datetime():
            return f'<c s="1"><v>{(value - _EPOCH) / dt.timedelta(days=1)}</v></c>'
        case dt.timedelta():
            return f'<c s="2"><v>{value / dt.timedelta(days=1)}</v></c>'
        case "#N/A":
            return f'<c t="e"><v>{value}</v></c>'
        case str() if value.startswith("="):
            return f"<c><f>{value[1:]}</f><v>7</v></c>"
        case str():
            return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'
        case _:
            return f"<c><v>{value}</v></c>"
