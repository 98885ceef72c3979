"""The profile of a table and its page."""

from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.data import Kind
from pipeline.schema.columns import Column, Schema
from pipeline.tables.profiling import DRAWN, SHOWN, page, profile

NAN = float("nan")
TABLE = pd.DataFrame(
    {
        "size": [1.0, 2.0, 3.0, 4.0, NAN],
        "colour": pd.Series(["red", "blue", "red", None, "red"], dtype="str"),
        "used": [0.0, 1.0, 1.0, 1.0, NAN],
        "sold": pd.to_datetime(
            ["2024-01-02", "2023-05-01", "", "2024-01-02 10:30", "2023-05-01"], format="ISO8601"
        ).astype("datetime64[us]"),
        "price": [2.0, 4.0, 6.0, 8.0, 10.0],
    }
)
KINDS = {
    "size": Kind.numeric,
    "colour": Kind.category,
    "used": Kind.boolean,
    "sold": Kind.date,
    "price": Kind.numeric,
}
SCHEMA = Schema({name: Column(kind) for name, kind in KINDS.items()})
SCRIPT = "<script>alert(\"x\")</script> & 'q'"
VOID = {"meta"}


def numeric(**columns: list[float]) -> tuple[pd.DataFrame, Schema]:
    table = pd.DataFrame(columns, dtype="float64")
    return table, Schema({str(name): Column(Kind.numeric) for name in table})


def by_column(table: pd.DataFrame, schema: Schema, target: str) -> pd.DataFrame:
    return profile(table, schema, target).set_index("column")


def shown(
    table: pd.DataFrame = TABLE, schema: Schema = SCHEMA, target: str = "price", title: str = "T"
) -> str:
    return page(title, {"train": table}, schema, target=target, done={}, warnings=[])


class Reading(HTMLParser):
    """What a page consists of; tags that do not close in order are refused."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def labels(self) -> list[str]:
        return [str(value) for name, value in self.attributes if name == "aria-label"]


def test_a_row_for_each_column_in_the_tables_order() -> None:
    found = profile(TABLE, SCHEMA, "price")
    assert list(found["column"]) == list(TABLE)
    assert list(found["kind"]) == ["numeric", "category", "boolean", "date", "numeric"]
    assert list(found["values"]) == [4, 4, 4, 4, 5]
    assert list(found["missing"]) == [1, 1, 1, 1, 0]
    assert list(found["missing_percent"]) == [20, 20, 20, 20, 0]
    assert list(found["distinct"]) == [4, 2, 2, 3, 5]


def test_the_figures_of_numbers() -> None:
    row = by_column(TABLE, SCHEMA, "price").loc["size"]
    five = row[["least", "lower_quartile", "median", "upper_quartile", "most"]]
    assert list(five) == [1.0, 1.75, 2.5, 3.25, 4.0]
    assert (row["mean"], row["deviation"]) == (2.5, pytest.approx(np.sqrt(1.25)))
    assert row["correlation"] == pytest.approx(1)
    assert row[["commonest", "commonest_percent"]].isna().all()


def test_the_figures_of_categories_booleans_and_dates() -> None:
    found = by_column(TABLE, SCHEMA, "price")
    assert list(found["commonest"].dropna()) == ["red", "true"]
    assert list(found["commonest_percent"].dropna()) == [75, 75]
    assert list(found.loc["sold", ["least", "most"]]) == ["2023-05-01", "2024-01-02T10:30:00"]
    assert found.loc[["colour", "used", "sold"], ["median", "mean"]].isna().all(axis=None)


def test_the_correlation_ratio_is_the_root_of_the_share_of_the_squares() -> None:
    # red: 2, 6, 10 and blue: 4, whose mean is 5.5.
    expected = np.sqrt((3 * 0.5**2 + 1.5**2) / (3.5**2 + 0.5**2 + 4.5**2 + 1.5**2))
    found = by_column(TABLE, SCHEMA, "price")
    assert found.loc["colour", "correlation"] == pytest.approx(expected)


def test_the_target_and_dates_have_no_correlation() -> None:
    found = by_column(TABLE, SCHEMA, "price")
    assert found.loc[["price", "sold"], "correlation"].isna().all()


PAIRS = st.lists(st.tuples(*[st.integers(-50, 50)] * 2), min_size=3, max_size=40)


@given(PAIRS)
def test_pearsons_correlation_is_numpys(pairs: list[tuple[int, int]]) -> None:
    x, y = np.array(pairs, dtype=float).T
    found = by_column(*numeric(x=list(x), y=list(y)), "y")["correlation"].astype(float)["x"]
    expected = np.corrcoef(x, y)[0, 1] if np.ptp(x) and np.ptp(y) else NAN
    assert found == pytest.approx(expected, abs=1e-9, nan_ok=True)


@given(PAIRS)
def test_of_a_boolean_the_correlation_ratio_would_be_pearsons_size(
    pairs: list[tuple[int, int]],
) -> None:
    x, y = np.array(pairs, dtype=float).T
    table = pd.DataFrame({"flag": (x > 0) * 1.0, "text": np.where(x > 0, "a", "b"), "y": y})
    kinds = {"flag": Kind.boolean, "text": Kind.category, "y": Kind.numeric}
    schema = Schema({name: Column(kind) for name, kind in kinds.items()})
    found = by_column(table, schema, "y")["correlation"].astype(float)
    assert found["text"] == pytest.approx(abs(found["flag"]), abs=1e-9, nan_ok=True)


@pytest.mark.parametrize(
    "values",
    [
        [5.0, 5.0, 5.0],
        [0.1, 0.1, 0.1],
        [NAN, NAN, NAN],
        [1.0, NAN, NAN],
        [1e308, -1e308, 0.0],
        [5e-324, 0.0, 0.0],
        [1e16, 1e16 + 2, 1e16],
        [float("inf"), 1.0, 2.0],
    ],
)
def test_odd_numbers_have_a_profile_and_a_page(values: list[float]) -> None:
    table, schema = numeric(x=values, y=[1.0, 2.0, 4.0])
    found = by_column(table, schema, "y")
    Reading(shown(table, schema, "y"))
    if len(set(values)) == 1:
        assert found.loc[["x"], "correlation"].isna().all()
    Reading(shown(table, schema, "x"))


@pytest.mark.parametrize("rows", [0, 1])
def test_a_table_of_hardly_any_rows_has_a_profile_and_a_page(rows: int) -> None:
    found = profile(TABLE[:rows], SCHEMA, "price")
    assert list(found["values"]) == [rows] * len(KINDS)
    assert found["correlation"].isna().all()
    Reading(shown(TABLE[:rows]))


def test_columns_without_a_value_have_a_profile_and_a_page() -> None:
    table = TABLE.astype({"colour": "str"}).where(TABLE["price"] < 0)
    found = profile(table, SCHEMA, "price")
    assert list(found["distinct"]) == [0] * len(KINDS)
    assert "100.0 %" in Reading(shown(table)).text


def test_a_column_that_is_not_known_is_an_error() -> None:
    with pytest.raises(KeyError, match="weight"):
        profile(TABLE, SCHEMA, "weight")
    with pytest.raises(KeyError, match="extra"):
        profile(TABLE.assign(extra=1.0), SCHEMA, "price")
    with pytest.raises(ValueError, match="has no part"):
        page("T", {}, SCHEMA, target="price", done={}, warnings=[])


def test_the_page_says_what_was_found_and_done_and_of_which_rows() -> None:
    parts = {"train": TABLE, "validation": TABLE[:0], "test": TABLE[["size", "colour"]][3:]}
    done = {"price": "the target", "size": "left out: identifier-like"}
    text = page("Sales", parts, SCHEMA, target="price", done=done, warnings=["sold: odd"])
    found = Reading(text).text
    for words in ("Sales", "5 rows in train", "0 rows in validation", "2 rows in test"):
        assert words in found
    for words in ("sold: odd", "the target", "left out: identifier-like", "are of train;"):
        assert words in found
    assert "1 in train20.0 %1 in test50.0 %" in found


def test_each_column_has_its_drawings_with_their_numbers_in_words() -> None:
    reading = Reading(shown())
    assert reading.labels() == [
        "Columns",
        "from 1 to 4, values by bin: 1 1 1 1",
        "means of price: 2 at 1, 4 at 2, 6 at 3, 8 at 4",
        "commonest: red 75.0 %, blue 25.0 %",
        "means of price: red 6, blue 4; of all 5.5",
        "commonest: true 75.0 %, false 25.0 %",
        "means of price: true 6, false 2; of all 5",
        "from 2023-05-01 to 2024-01-02, values by bin: 2" + " 0" * 22 + " 2",
        "means of price: 7 at 2023-05-01, 2 at 2024-01-02, 8 at 2024-01-02",
        "from 2 to 10, values by bin: 1 0 1 0 1 0 1 0 1",
    ]
    assert reading.attributes.count(("role", "img")) == len(reading.labels()) - 1


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60))
def test_a_histogram_counts_every_value(values: list[float]) -> None:
    label = Reading(shown(*numeric(x=values), target="x")).labels()[1]
    assert sum(int(count) for count in label.split(": ")[1].split()) == len(values)


def test_only_the_commonest_categories_have_a_bar() -> None:
    names = [f"c{place}" for place in range(30) for _ in range(place + 1)]
    table = pd.DataFrame({"c": names, "y": np.arange(float(len(names)))})
    schema = Schema({"c": Column(Kind.category), "y": Column(Kind.numeric)})
    label = Reading(shown(table, schema, "y")).labels()[1]
    assert label.count("%") == SHOWN
    assert label.startswith("commonest: c29 6.5 %, c28 ")


def test_what_comes_from_the_data_is_text_and_never_markup() -> None:
    names = [SCRIPT, 'a "quoted" name', "größe שלום 高さ", "{braces} $dollar %s"]
    table = pd.DataFrame({name: pd.Series([SCRIPT, "é"], dtype="str") for name in names})
    table['"><img src=x onerror=alert(1)>'] = [1.0, 2.0]
    target = str(table.columns[-1])
    kinds = dict.fromkeys(names, Kind.category) | {target: Kind.numeric}
    schema = Schema({name: Column(kind) for name, kind in kinds.items()})
    done = dict.fromkeys([*names, target], SCRIPT)
    parts = {SCRIPT: table}
    reading = Reading(page(SCRIPT, parts, schema, target=target, done=done, warnings=[SCRIPT]))
    assert not {"script", "img"} & set(reading.tags)
    assert not [name for name, _ in reading.attributes if name.startswith("on")]
    for text in (*names, target):
        assert text in reading.text
    assert any(SCRIPT in label for label in reading.labels())


def test_a_page_needs_nothing_beside_itself() -> None:
    text = shown()
    for outside in ("http", "url(", "@import", "src=", "href=", "<script", "<link"):
        assert outside not in text


def test_the_same_input_gives_the_same_page_and_leaves_the_table_alone() -> None:
    before = TABLE.copy(deep=True)
    assert shown() == shown(before)
    pd.testing.assert_frame_equal(TABLE, before)


def test_of_many_columns_only_the_first_have_drawings() -> None:
    columns = {f"c{place}": [1.0, 2.0, 4.0] for place in range(DRAWN + 3)}
    reading = Reading(shown(*numeric(**columns), target="c0"))
    assert reading.tags.count("tr") == DRAWN + 4
    assert reading.tags.count("svg") == 2 * DRAWN - 1
    assert f"Only the first {DRAWN} columns have drawings." in reading.text
    assert "Only the first" not in shown()


def test_a_page_of_many_rows_is_no_larger_than_its_drawings() -> None:
    x = np.random.default_rng(0).normal(size=(2, 50_000))
    text = shown(*numeric(x=list(x[0]), y=list(x[0] + x[1])), target="y")
    assert len(text) < 60_000


def test_no_correlation_is_shown_as_minus_zero() -> None:
    table, schema = numeric(x=[1.0, 0.0, -1.0, 0.0], y=[1.0, 0.0, 1.000001, 0.0])
    assert by_column(table, schema, "y")["correlation"].astype(float)["x"] < 0
    assert "r 0.00" in Reading(shown(table, schema, "y")).text


def test_a_long_name_is_cut() -> None:
    table, schema = numeric(**{"n" * 5000: [1.0, 2.0]})
    text = shown(table, schema, "n" * 5000)
    assert "n" * 59 + "…" in text
    assert "n" * 60 not in text
