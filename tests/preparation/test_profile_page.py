"""The page of a profile and its drawings."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.data import Kind
from pipeline.preparation.profile import profile
from pipeline.preparation.profile_drawings import MAX_CATEGORIES
from pipeline.preparation.profile_page import MAX_DRAWN, render
from pipeline.schema.columns import Column, Schema
from tests.pages.parsed import Page
from tests.preparation.profiled import KINDS, NAN, SCHEMA, TABLE, by_column, numeric

SCRIPT = "<script>alert(\"x\")</script> & 'q'"
FIRST = ["1", "red", "false", "2024-01-02", "2"]


def shown(
    table: pd.DataFrame = TABLE, schema: Schema = SCHEMA, target: str = "price", title: str = "T"
) -> str:
    figures = profile(table, schema, target)
    return render(title, {"train": table}, schema, figures, target=target, used_as={}, warnings=[])


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
    Page(shown(table, schema, "y"))
    if len(set(values)) == 1:
        assert found.loc[["x"], "correlation"].isna().all()
    Page(shown(table, schema, "x"))


@pytest.mark.parametrize("rows", [0, 1])
def test_a_table_of_hardly_any_rows_has_a_profile_and_a_page(rows: int) -> None:
    found = profile(TABLE[:rows], SCHEMA, "price")
    assert list(found["values"]) == [rows] * len(KINDS)
    assert found["correlation"].isna().all()
    Page(shown(TABLE[:rows]))


def test_columns_without_a_value_have_a_profile_and_a_page() -> None:
    table = TABLE.astype({"colour": "str"}).where(TABLE["price"] < 0)
    found = profile(table, SCHEMA, "price")
    assert list(found["distinct"]) == [0] * len(KINDS)
    assert "100.0 %" in Page(shown(table)).text


def test_an_unknown_column_is_an_error() -> None:
    with pytest.raises(KeyError, match="weight"):
        profile(TABLE, SCHEMA, "weight")
    with pytest.raises(KeyError, match="extra"):
        profile(TABLE.assign(extra=1.0), SCHEMA, "price")
    with pytest.raises(ValueError, match="parts: is empty"):
        render(
            "T", {}, SCHEMA, profile(TABLE, SCHEMA, "price"),
            target="price", used_as={}, warnings=[],
        )  # fmt: skip


def test_the_page_has_the_rows_the_warnings_and_the_use_of_each_column() -> None:
    parts = {"train": TABLE, "validation": TABLE[:0], "test": TABLE[["size", "colour"]][3:]}
    used_as = {"price": "the target", "size": "left out: identifier-like", "shop": "not used"}
    text = render(
        "Sales", parts, SCHEMA, profile(TABLE, SCHEMA, "price"),
        target="price", used_as=used_as, warnings=["sold: odd"],
    )  # fmt: skip
    found = Page(text).words()
    for words in ("Sales", "5 rows in train", "0 rows in validation", "2 rows in test"):
        assert words in found
    for words in (
        "sold: odd",
        "the target",
        "left out: identifier-like",
        "are of train;",
        "Not used: shop.",
    ):
        assert words in found
    assert "1 in train20.0 %1 in test50.0 %" in found


def test_each_column_has_its_drawings_with_their_numbers_in_words() -> None:
    read = Page(shown())
    assert read.labels() == [
        "from 1 to 4, values by bin: 1 1 1 1",
        "means of price: 2 at 1, 4 at 2, 6 at 3, 8 at 4",
        "most frequent: red 75.0 %, blue 25.0 %",
        "means of price: red 6, blue 4; of all 5.5",
        "most frequent: true 75.0 %, false 25.0 %",
        "means of price: true 6, false 2; of all 5",
        "from 2023-05-01 to 2024-01-02, values by bin: 2" + " 0" * 22 + " 2",
        "means of price: 7 at 2023-05-01, 2 at 2024-01-02, 8 at 2024-01-02",
        "from 2 to 10, values by bin: 1 0 1 0 1 0 1 0 1",
    ]
    assert read.attributes.count(("role", "img")) == len(read.labels())


@settings(max_examples=40)  # each renders a page
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60))
def test_a_histogram_counts_every_value(values: list[float]) -> None:
    label = Page(shown(*numeric(x=values), target="x")).labels()[0]
    assert sum(int(count) for count in label.split(": ")[1].split()) == len(values)


def test_only_the_most_frequent_categories_have_a_bar() -> None:
    names = [f"c{number}" for number in range(30) for _ in range(number + 1)]
    table = pd.DataFrame({"c": names, "y": np.arange(float(len(names)))})
    schema = Schema({"c": Column(Kind.category), "y": Column(Kind.numeric)})
    label = Page(shown(table, schema, "y")).labels()[0]
    assert label.count("%") == MAX_CATEGORIES
    assert label.startswith("most frequent: c29 6.5 %, c28 ")


def test_what_comes_from_the_data_is_text_and_never_markup() -> None:
    names = [SCRIPT, 'a "quoted" name', "größe שלום 高さ", "{braces} $dollar %s"]
    table = pd.DataFrame({name: pd.Series([SCRIPT, "é"], dtype="str") for name in names})
    table['"><img src=x onerror=alert(1)>'] = [1.0, 2.0]
    target = str(table.columns[-1])
    kinds = dict.fromkeys(names, Kind.category) | {target: Kind.numeric}
    schema = Schema({name: Column(kind) for name, kind in kinds.items()})
    used_as = dict.fromkeys([*names, target, SCRIPT], SCRIPT)
    text = render(
        SCRIPT, {SCRIPT: table}, schema, profile(table, schema, target),
        target=target, used_as=used_as, warnings=[SCRIPT],
    )  # fmt: skip
    read = Page(text)
    assert not {"script", "img"} & set(read.tags)
    assert not [name for name, _ in read.attributes if name.startswith("on")]
    for name in (*names, target):
        assert name in read.text
    assert any(SCRIPT in label for label in read.labels())


def test_a_page_needs_nothing_beside_itself() -> None:
    text = shown()
    for outside in ("http", "url(", "@import", "src=", "href=", "<script", "<link"):
        assert outside not in text


def test_the_same_input_gives_the_same_page_and_leaves_the_table_alone() -> None:
    before = TABLE.copy(deep=True)
    assert shown() == shown(before)
    pd.testing.assert_frame_equal(TABLE, before)


def test_of_many_columns_only_the_first_have_drawings() -> None:
    columns = {f"c{number}": [1.0, 2.0, 4.0] for number in range(MAX_DRAWN + 3)}
    read = Page(shown(*numeric(**columns), target="c0"))
    assert read.tags.count("tr") == MAX_DRAWN + 4
    assert read.tags.count("svg") == 2 * MAX_DRAWN - 1
    assert f"Only the first {MAX_DRAWN} columns have drawings." in read.text
    assert "Only the first" not in shown()


def test_a_page_of_many_rows_is_no_larger_than_its_drawings() -> None:
    x = np.random.default_rng(0).normal(size=(2, 50_000))
    text = shown(*numeric(x=list(x[0]), y=list(x[0] + x[1])), target="y")
    assert len(text) < 60_000


def test_no_correlation_is_shown_as_minus_zero() -> None:
    table, schema = numeric(x=[1.0, 0.0, -1.0, 0.0], y=[1.0, 0.0, 1.000001, 0.0])
    assert by_column(table, schema, "y")["correlation"].astype(float)["x"] < 0
    assert "r 0.00" in Page(shown(table, schema, "y")).text


def test_names_keep_their_direction_to_themselves() -> None:
    table, schema = numeric(שלום=[1.0, 2.0])
    assert "<bdi>שלום</bdi>" in shown(table, schema, "שלום")


def test_each_figure_is_beside_its_name() -> None:
    words = Page(shown()).words()
    assert "min1 25 %1.75 median2.5 75 %3.25 max4 mean2.5 std1.118 distinct4".replace(" ", "") in (
        words.replace(" ", "")
    )
    assert "mostfrequentredshare75.0%distinct2" in words.replace(" ", "")
    assert "min2023-05-01max2024-01-02T10:30:00distinct3" in words.replace(" ", "")


@pytest.mark.parametrize("part", ["train", "test"])
def test_the_first_row_of_the_table_is_shown_whichever_part_it_is_in(part: str) -> None:
    """It may hold units, or anything else that is no value."""
    train, test = (TABLE.iloc[:3], TABLE.iloc[3:]) if part == "train" else (TABLE[1:], TABLE[:1])
    new = TABLE.drop(columns="price")
    page = render(
        "T", {"train": train, "test": test, "new": new}, SCHEMA, profile(train, SCHEMA, "price"),
        target="price", used_as={}, warnings=[],
    )  # fmt: skip
    first = [text.split()[0] for text in Page(page).words().split("first row")[1:]]
    assert [text[: len(cell)] for text, cell in zip(first, FIRST, strict=True)] == FIRST


def test_a_long_name_is_cut() -> None:
    table, schema = numeric(**{"n" * 5000: [1.0, 2.0]})
    text = shown(table, schema, "n" * 5000)
    assert "n" * 59 + "…" in text
    assert "n" * 60 not in text
