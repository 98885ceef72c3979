"""Tables as people have them: bad ones are explained, and unusual ones can be used.

Each is prepared with no more than its path and its target."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.config.data import Data, Policy, Split, SplitBy, Violations
from pipeline.preparation.preparation import Prepared, prepare
from pipeline.runtime.errors import UserError
from pipeline.schema.remedy import quoted

ROWS = 20
DAYS = pd.date_range("2024-01-28", periods=ROWS)
FINITE = "is not a finite float32 number; fix it"
MISSING = (
    "the target is missing, in 1 of 20 rows; fill them in, or set data.missing_target=drop to"
    " leave these rows out"
)
# Where a column is taken for what most of its cells are.
HINT = ", set data.reading.more_missing=[{}] if it stands for a missing value, or set data.kinds={}"
GUESSED = FINITE + HINT


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def table(rows: int = ROWS, **columns: Any) -> pd.DataFrame:
    """Features a and b and the target y, but for the columns that are given."""
    random = np.random.default_rng(3)
    usual = {name: random.normal(5, 2, rows).round(3) for name in ("a", "b", "y")}
    return pd.DataFrame(usual).assign(**columns)


def text(rows: int = ROWS, **columns: Any) -> str:
    return table(rows, **columns).to_csv(index=False)


def with_cell(column: str, row: int, cell: Any) -> str:
    """The table as text, with one other cell; rows are counted from 1."""
    rows = table(c=["u", "v"] * (ROWS // 2)).astype(object)
    rows.loc[row - 1, column] = cell
    return rows.to_csv(index=False)


def made(
    content: str | bytes | None = None, path: str = "t.csv", target: str = "y", **changed: Any
) -> Prepared:
    """What becomes of a file with this content, or of what is there."""
    if content is not None:
        Path(path).write_bytes(content.encode() if isinstance(content, str) else content)
    usual = {"split": Split(validation=0.2, test=0.2)}
    return prepare(Data(path=path, target=target, **usual | changed))


def refusal(*arguments: Any, **changed: Any) -> str:
    with pytest.raises(UserError) as caught:
        made(*arguments, **changed)
    line = str(caught.value)
    assert "\n" not in line
    return line


# What cannot be used


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "t.csv: the file is empty; it needs a header and rows"),
        ("\n\n", "t.csv: the file is empty; it needs a header and rows"),
        ("a,b,y\n", "t.csv: the table has columns but no rows; add rows or fix the path"),
        (
            "a,b,y\n1,2,3\n",
            "data.split.validation: 0.2 of 1 rows rounds to zero rows; raise it or set",
        ),
        (
            text(2),
            "data.split.validation: 0.2 of 2 rows rounds to zero rows; raise it or set it to 0",
        ),
        ("a,y,y\n1,2,3\n", "t.csv: the name of the target, 'y', is duplicated; give each column "),
        ("a,b\n1,2\n", "t.csv: has no column 'y' (data.target); it has a, b"),
        ("y\n1\n2\n3\n", "t.csv: has no feature, only the target 'y'"),
        (
            text().replace(",", ":"),
            "t.csv: has one column, 'a:b:y', and none that is needed (y); set data.reading.deli",
        ),
        (
            text(größe=1).encode("latin-1"),
            "t.csv, the header: the byte 0xf6 is not utf-8; set data.reading.encoding, perhaps ",
        ),
        (
            with_cell("c", 7, "süß").encode("latin-1"),
            "t.csv, row 7 below the header: the byte 0xfc is not utf-8; set data.reading.encod",
        ),
        (text().encode("utf-16"), "t.csv, the header: the byte 0xff is not utf-8; set data.rea"),
        (b"PK\0\0" * 9, "t.csv, the header: has a NUL byte, so the file is damaged or not text"),
        (
            text() + "1,2,3,4\n",
            "t.csv, row 21 below the header: has 4 fields, but the header has 3; fix the row",
        ),
        (
            text() + "1,2\n" + text(),
            "t.csv, row 21 below the header: has 2 fields, but the header has 3; fix the row",
        ),
        (
            text() + '"1,2,3\n',
            "t.csv, row 21 below the header: a quote opens there and does not close; close it",
        ),
        ("\n".join(text().splitlines()[1:]), "t.csv: seems to have no header, because the f"),
    ],
)
def test_a_file_that_is_not_a_usable_table_is_explained(content: str | bytes, message: str) -> None:
    assert refusal(content).startswith(message)


def test_too_many_features_are_refused_before_their_cells_are_looked_at() -> None:
    names = ",".join(f"c{number}" for number in range(1001))
    content = "\n".join(
        [f"{names},y", *("1," * 1001 + str(row) for row in range(ROWS)), "x" + ",1" * 1001]
    )
    # Their cells are not looked at first, which takes long: one of them is wrong.
    assert refusal(content) == (
        "t.csv: has 1001 features, but the maximum is 1000; choose some with data.features"
    )


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("y", "", MISSING),
        ("y", "?", MISSING),
        ("y", "dear", f"'dear' {FINITE}"),
        ("y", "inf", f"'inf' {FINITE}"),
        ("y", "1e39", f"'1e+39' {FINITE}"),
        ("a", "many", "'many' " + GUESSED.format("many", "{a: category}")),
        ("a", "12 kg", "'12 kg' " + GUESSED.format("'12 kg'", "{a: category}")),
        ("a", "inf", f"'inf' {FINITE}"),
        ("a", "-Infinity", f"'-inf' {FINITE}"),
        ("a", "1e400", f"'inf' {FINITE}"),
        ("a", "1e39", f"'1e+39' {FINITE}"),
        ("a", "1.2.2020", "'1.2.2020' " + GUESSED.format("'1.2.2020'", "{a: category}")),
    ],
)
def test_a_wrong_cell_is_named(column: str, cell: str, message: str) -> None:
    assert refusal(with_cell(column, 8, cell)) == (
        f"t.csv, row 8 below the header, column {column!r}: {message}"
    )


@pytest.mark.parametrize("date", ["2024-02-31", "soon", "2024-13-01", "today"])
def test_a_date_that_is_none_is_named(date: str) -> None:
    days = [*DAYS.strftime("%Y-%m-%d")[:-1], date]
    assert refusal(text(day=days)) == (
        f"t.csv, row 20 below the header, column 'day': {date!r} is not a date of the format"
        " ISO8601; fix it" + HINT.format(quoted(date), "{day: category}")
    )


def test_a_date_that_is_none_is_named_with_the_format_of_the_others() -> None:
    days = [*DAYS.strftime("%d.%m.%Y")[:-1], "31.02.2024"]
    assert refusal(text(day=days)) == (
        "t.csv, row 20 below the header, column 'day': '31.02.2024' is not a date of the format"
        " %d.%m.%Y; fix it" + HINT.format("'31.02.2024'", "{day: category}")
    )


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (3, "the target is 3 in every row; there is nothing to predict"),
        (["dear", "cheap"] * 10, "the target holds 'dear', not numbers; a regression needs a num"),
        (DAYS, "the target holds '2024-01-28', not numbers; a regression needs a number"),
    ],
)
def test_a_target_that_is_no_quantity_is_named(y: Any, message: str) -> None:
    assert refusal(text(y=y)).startswith(f"t.csv, column 'y': {message}")


def test_a_target_without_any_value_is_named() -> None:
    assert refusal(text(y=None)).startswith(
        "t.csv, row 1 below the header, column 'y': the target is missing, in 20 of 20 rows;"
    )


# Files


def cut_short() -> None:
    table().to_parquet("t.parquet")
    whole = Path("t.parquet").read_bytes()
    Path("t.parquet").write_bytes(whole[: len(whole) // 2])


@pytest.mark.parametrize(
    ("path", "make", "message"),
    [
        ("none.csv", Path, "none.csv: no such file; put the table there or fix the path"),
        (
            "folder",
            lambda: Path("folder").mkdir(),
            "folder: the folder has no CSV, Parquet or Excel files; put the table there or fix",
        ),
        ("*.csv", Path, "*.csv: matches no CSV, Parquet or Excel file; fix the path"),
        (
            "link.csv",
            lambda: Path("link.csv").symlink_to("nowhere.csv"),
            "link.csv: is a link to nowhere, nowhere.csv; fix it or run dvc checkout",
        ),
        ("t.parquet", cut_short, "t.parquet: cannot be read: "),
        (
            "t.csv.gz",
            lambda: Path("t.csv.gz").write_bytes(gzip.compress(text().encode())[:-40]),
            "t.csv.gz: cannot be read: ",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    path: str, make: Callable[[], object], message: str
) -> None:
    make()
    assert refusal(path=path).startswith(message)


def test_a_file_that_may_not_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(*_arguments: object, **_named: object) -> None:
        raise PermissionError(13, "Permission denied")

    Path("t.csv").write_text(text(), "utf-8")
    # Root may read any file, so that its mode would say nothing here.
    monkeypatch.setattr(Path, "open", forbid)
    assert refusal() == "t.csv: may not be read; change the file's permissions"


def test_the_files_of_one_table_have_the_same_columns() -> None:
    Path("parts").mkdir()
    for name, rows in (("1.csv", table()), ("2.csv", table().drop(columns="b"))):
        rows.to_csv(f"parts/{name}", index=False)
    assert refusal(path="parts").startswith("parts/2.csv: lacks the column 'b', unlike parts/1.csv")


@pytest.mark.parametrize("path", ["parts", "parts/*.csv", "par*/?.csv"])
def test_a_row_of_several_files_is_found_in_its_own(path: str) -> None:
    Path("parts").mkdir()
    Path("parts/1.csv").write_text(text(), "utf-8")
    Path("parts/2.csv").write_text(text()[:-1] + "9\n", "utf-8")
    prepared = made(path=path)
    assert sum(map(len, prepared.parts.values())) == 2 * ROWS
    Path("parts/2.csv").write_text(text() + "x,1,2\n", "utf-8")
    assert refusal(path=path).startswith("parts/2.csv, row 21 below the header, column 'a': 'x' ")


def test_a_fault_in_the_parts_is_located_in_its_file() -> None:
    Path("parts").mkdir()
    for number, part in enumerate(("train", "dev")):
        table().assign(part=part).to_csv(f"parts/{number}.csv", index=False)
    by_name = Split(by=SplitBy.column, column="part", validation=0.0, test=0.0)
    assert refusal(path="parts", split=by_name) == (
        "parts/1.csv, row 1 below the header, column 'part': 'dev' is not a part; with by:"
        " column, data.split.column holds train, validation or test, or test and folds if"
        " data.split.folds is their number"
    )
    table().assign(part="test").to_csv("parts/1.csv", index=False)
    (shared, *_) = made(path="parts", split=by_name).warnings
    assert shared.startswith(
        "parts: equal rows are in more than one part (parts/0.csv, row 1 below the header, in train"
        " and parts/1.csv, row 1 below the header, in test, and 19 more such); remove the copies,"
    )


# What is accepted


def test_a_column_without_a_value_is_left_out_with_a_warning() -> None:
    for empty in ("", "?", "NA"):
        prepared = made(text(c=empty))
        assert prepared.encoding.names == ["a", "b"]
        assert prepared.warnings[0] == (
            "t.csv, column 'c': has no value in the training rows (0 of 12 rows), so it is left out"
        )


def test_a_category_that_only_the_test_part_has_is_named() -> None:
    row = int(made(text()).parts["test"].index[0])
    content = with_cell("c", row + 1, "w")
    message = (
        f"t.csv, row {row + 1} below the header, column 'c': the value 'w' is not one of the"
        " categories (data.violations.unseen_category)"
    )
    prepared = made(content)
    assert prepared.warnings.count(message) == 1
    assert prepared.encoding.names == ["a", "b", "c = u", "c = v"]
    strict = Violations(unseen_category=Policy.error)
    remedy = (
        "; fix it, or set data.violations.unseen_category=warn in params.yaml and run dvc repro"
    )
    assert refusal(content, violations=strict) == message.partition(" (data")[0] + remedy


@pytest.mark.parametrize(
    "name",
    ["a.b", "c d", 'e"f', "g'h", "größe", "温度", "i/j", "k,l", "{m}", "[n]", "=o", "p:q", "r\\s",
     "null", "-1x", "%d", "z\nz", "index", "target", "train", "__index__"],
)  # fmt: skip
def test_a_column_may_have_any_name(name: str) -> None:
    words = table(c=["u", "v"] * 10).rename(columns={"c": name})
    prepared = made(words.to_csv(index=False))
    assert prepared.encoding.names == ["a", "b", f"{name} = u", f"{name} = v"]
    number = made(table().rename(columns={"a": name}).to_csv(index=False))
    assert number.encoding.names == [name, "b"]


def test_cells_that_look_like_formulas_are_text() -> None:
    cells = ["=1+1", '=HYPERLINK("http://x","y")', "+A1", "@SUM(A1)"]
    prepared = made(text(c=cells * 5))
    assert prepared.encoding.categories["c"].categories == sorted(cells)


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (table().to_csv(index=False, sep=";", decimal=","), ["a", "b"]),
        (table().to_csv(index=False, sep="\t"), ["a", "b"]),
        (table().to_csv(index=False, sep="|", lineterminator="\r\n"), ["a", "b"]),
        (text(10), ["a", "b"]),
        (text(5), ["a", "b"]),
        ("\ufeff" + text(), ["a", "b"]),
        (text(c=["yes", "no"] * 10), ["a", "b", "c = no", "c = yes"]),
        (text(c=["TRUE", "false"] * 10), ["a", "b", "c"]),
        (text(c=["?", "1", "2", "4"] * 5), ["a", "b", "c", "c is missing"]),
        (text(c=["?", "u", "v", "v"] * 5), ["a", "b", "c = missing", "c = u", "c = v"]),
    ],
)
def test_however_a_table_is_written_its_path_and_target_will_do(
    content: str, names: list[str]
) -> None:
    prepared = made(content)
    assert prepared.encoding.names == names
    assert all(len(part) for part in prepared.parts.values())


def test_without_a_header_the_columns_are_numbered() -> None:
    prepared = made("\n".join(text().splitlines()[1:]), target="column_3")
    assert prepared.encoding.names == ["column_1", "column_2"]
    assert sum(map(len, prepared.parts.values())) == ROWS


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz", "zip"])
def test_a_compressed_file_will_do(suffix: str) -> None:
    table().to_csv(f"t.csv.{suffix}", index=False)
    assert made(path=f"t.csv.{suffix}").encoding == made(text()).encoding


def test_a_parquet_file_gives_what_a_csv_file_gives() -> None:
    rows = table(c=["u", "v"] * 10, day=DAYS, sold=[True, False, False, True] * 5)
    rows.to_parquet("t.parquet")
    from_parquet, from_csv = made(path="t.parquet"), made(rows.to_csv(index=False))
    assert from_parquet.encoding == from_csv.encoding


@pytest.mark.parametrize(
    "written",
    ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d-%m-%Y", "%Y-%m-%dT%H:%M",
     "%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M", "%Y-%m-%dT%H:%M:%SZ"],
)  # fmt: skip
def test_dates_are_known_by_how_they_are_written(written: str) -> None:
    prepared = made(text(day=DAYS.strftime(written)))
    together = pd.concat(prepared.parts.values()).sort_index()
    assert together["day"].tolist() == DAYS.tolist()
    assert prepared.encoding.names[2:4] == ["day days", "day sine of year"]


def test_a_date_in_iso_8601_is_known_beside_others() -> None:
    days = [*DAYS.strftime("%d.%m.%Y")[:-1], DAYS[-1].strftime("%Y-%m-%d")]
    prepared = made(text(day=days))
    together = pd.concat(prepared.parts.values()).sort_index()
    assert together["day"].tolist() == DAYS.tolist()


def test_a_link_to_a_table_will_do() -> None:
    Path("store").write_text(text(), "utf-8")
    Path("t.csv").symlink_to("store")
    assert made().encoding.names == ["a", "b"]
