"""What is found in a CSV file behind the first block that Arrow reads."""

import io
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.data import Kind, Reading
from pipeline.schema.inference import infer_schema
from pipeline.tables import csv_dialect
from pipeline.tables.reading import read

ROWS = 200_000


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("last", ["01001,2,7.5", '"01001","2","7.5"\n', " 01001 , 2,7.5\n"])
def test_leading_zeros_in_a_late_row_are_kept(tmp_path: Path, last: str, encoding: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text("code,number,y\n" + "12345,678901,0.678901\n" * ROWS + last, encoding)
    table = read(str(path), Reading(encoding=encoding)).table
    assert list(table.iloc[-1]) == ["01001", 2, 7.5]
    assert [str(kind) for kind in table.dtypes] == ["str", "int64", "float64"]


def test_a_late_leading_zero_among_numbers_is_left_to_the_schema(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "123456,x\n" * ROWS + "007,x\n")
    table = read(str(path), Reading()).table
    assert table["a"].iloc[-1] == "007"
    assert infer_schema(table, {}).columns["a"].kind is Kind.numeric


def test_a_file_is_closed_after_arrow_has_read_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else it would go on reading in the next file, which has the same descriptor.
    faults = []

    class Slow(io.FileIO):
        reading = False

        def read(self, size: int | None = -1) -> Any:
            self.reading = True
            time.sleep(0.01)
            try:
                if self.closed:
                    faults.append("read when closed")
                return b"" if self.closed else super().read(size)
            finally:
                self.reading = False

        def close(self) -> None:
            if self.reading:
                faults.append("closed when read")
            super().close()

    monkeypatch.setattr(csv_dialect, "uncompressed", Slow)
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "123456,x\n" * ROWS)
    assert len(read(str(path), Reading()).table) == ROWS
    assert not faults
