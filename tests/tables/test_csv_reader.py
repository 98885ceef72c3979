"""What is found in a CSV file behind the first block that Arrow reads."""

from pathlib import Path

import pytest

from pipeline.config.data import Kind, Reading
from pipeline.schema.inference import infer_schema
from pipeline.tables.reading import read

ROWS = 200_000


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("last", ["01001,2,7.5", '"01001","2","7.5"\n', " 01001 , 2,7.5\n"])
def test_leading_zeros_in_a_late_row_are_kept(tmp_path: Path, last: str, encoding: str) -> None:
    path = tmp_path / "t.csv"
    rows = "".join(f"{10000 + row % 89999},{row},0.{row}\n" for row in range(ROWS))
    path.write_text(f"code,number,y\n{rows}{last}", encoding)
    table = read(str(path), Reading(encoding=encoding)).table
    assert list(table.iloc[-1]) == ["01001", 2, 7.5]
    assert [str(kind) for kind in table.dtypes] == ["str", "int64", "float64"]


def test_a_late_leading_zero_among_numbers_is_left_to_the_schema(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "".join(f"{row},x\n" for row in range(ROWS)) + "007,x\n")
    table = read(str(path), Reading()).table
    assert table["a"].iloc[-1] == "007"
    assert infer_schema(table, {}).columns["a"].kind is Kind.numeric
