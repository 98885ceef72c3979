"""KEY=VALUE on the command line."""

from typing import Any

import pytest

from pipeline.compose.overrides import read_override


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("data.target=1.10", "data.target", "1.10"),
        ("data.target=true", "data.target", "true"),
        ("data.target=null", "data.target", None),
        ("data.target='null'", "data.target", "null"),
        ("data.target='a, b'", "data.target", "a, b"),
        (r"data.path=C:\data", "data.path", r"C:\data"),
        ("++data.kinds.a=date", "data.kinds.a", "date"),
        ("+conf.model=mlp", "model", "mlp"),
        ("data.leave_out=[No, 007, 1.10, '2', null]", "data.leave_out",
         ["No", "007", "1.10", "2", None]),
        (r"data.kinds={2016: date, 1.10: date, null: date, a\ b: date}", "data.kinds",
         {"2016": "date", "1.10": "date", "null": "date", "a b": "date"}),
        ("training.epochs=int(3.7)", "training.epochs", 3),
    ],
)  # fmt: skip
def test_a_value_is_as_it_is_written(override: str, key: str, value: Any) -> None:
    assert read_override(override) == (key, value)
