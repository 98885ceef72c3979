"""The values that the section `data` allows."""

from typing import Any

import pytest

from pipeline.config.data import Data, Kind, Lint, Policy, Reading, Split, SplitBy, Violations
from pipeline.config.section import SchemaError, check, typed


def mistakes(section: Any) -> list[str]:
    """The errors that check finds in a section."""
    return [text for _, text in check(section)]


@pytest.mark.parametrize(
    ("section", "text"),
    [
        (Split(validation=-0.1), "validation is -0.1, but must be at least 0"),
        (Split(validation=1.0), "validation is 1.0, but must be below 1"),
        (Split(test=-0.1), "test is -0.1, but must be at least 0"),
        (Split(test=1.0), "test is 1.0, but must be below 1"),
        (Split(test=float("nan")), "test is nan, but must be a finite float32 number"),
        (Split(seed=-1), "seed is -1, but must be at least 0"),
        (
            Data(path="a", target="b", min_category_count=0),
            "min_category_count is 0, but must be at least 1",
        ),
        (Data(path="a", target="b", bins=1), "bins is 1, but must be at least 2"),
        (
            Data(path="a", target="b", max_categories=0),
            "max_categories is 0, but must be at least 1",
        ),
        (
            Data(path="a", target="b", split=Split(seed=-1)),
            "split.seed is -1, but must be at least 0",
        ),
    ],
)
def test_a_value_out_of_range_is_named_with_its_bound(section: Any, text: str) -> None:
    assert text in mistakes(section)


DELIMITER = (
    "delimiter is {!r}, but must be one character, several that are neither letters nor digits,"
    ' or whitespace; a tab is "\\t" in double quotes'
)
NEEDS_COLUMN = "by is {}, which needs column"


@pytest.mark.parametrize(
    ("section", "text"),
    [
        (
            Split(validation=0.5, test=0.5),
            "validation + test must be below 1, or no rows are left for training",
        ),
        (
            Split(column="day"),
            "column has an effect only with by: group, time, hash or column",
        ),
        *((Split(by=by), NEEDS_COLUMN.format(by.value)) for by in SplitBy if by.value != "random"),
        *((Reading(delimiter=text), DELIMITER.format(text)) for text in ("", "tab", "\\t", "||x")),
        (Reading(decimal=",", thousands=","), "decimal and thousands are both ','"),
        (Reading(decimal=",", delimiter=","), "decimal and delimiter are both ','"),
        *(
            (Reading(decimal=mark), f"decimal is {mark!r}, but must be '.' or ','")
            for mark in ("", ".,", "5", "e", '"', "-", " ", ";")
        ),
        *(
            (
                Reading(thousands=mark),
                f"thousands is {mark!r}, but must be '.', ',', an apostrophe or a blank",
            )
            for mark in ("", "  ", "0", "k", '"', "-", "%")
        ),
        (Reading(comment=" "), "comment is ' ', but must be what comment lines begin with"),
    ],
)
def test_values_that_contradict_each_other_are_a_problem(
    section: Split | Reading, text: str
) -> None:
    assert section.problem() == text
    data = Data(path="a", target="b")
    if isinstance(section, Split):
        data.split = section
    else:
        data.reading = section
    where = "split" if isinstance(section, Split) else "reading"
    assert mistakes(data) == [f"{where}: {text}"]


@pytest.mark.parametrize(
    "section",
    [
        Split(),
        Split(validation=0.0, test=0.999),
        Split(validation=0.999, test=0.0),
        *(Split(by=by, column="day", test=0.5) for by in SplitBy if by is not SplitBy.random),
        Reading(),
        Reading(delimiter="\t", decimal=",", thousands="."),
        Reading(header=False, names=["a", "b"]),
        Reading(names=["a", "b"]),
        Reading(names=["a", "b"], header=True),
        Reading(header=True),
        *(Reading(delimiter=text) for text in ("§", "||", " ", "_", "\x1f", "whitespace")),
        Reading(missing=[]),
        Violations(),
        Lint(accept=["target_copy:X"]),
        Data(path="a", target="b", min_category_count=1, max_categories=1, bins=2),
    ],
)
def test_the_last_allowed_values_are_no_problem(section: Any) -> None:
    assert mistakes(section) == []


@pytest.mark.parametrize("schema", [Lint, Violations])
def test_each_finding_and_each_violation_has_a_policy(schema: type[Any]) -> None:
    for name in vars(schema()).keys() - {"accept"}:
        for policy in Policy:
            assert getattr(typed(schema, {name: policy.value}), name) is policy
        with pytest.raises(SchemaError):
            typed(schema, {name: "ignore"})


def test_names_are_compared_as_they_are_seen() -> None:
    """Composed accents, no zero-width characters, plain blanks, wherever a column is named."""
    typed_name, name = " gro\u0308\u00dfe\u00a0(m)\u200b ", "gr\u00f6\u00dfe (m)"
    data = Data(
        path="t.csv",
        target=typed_name,
        features=[typed_name],
        leave_out=[typed_name],
        kinds={typed_name: Kind.date},
        group=typed_name,
        reading=Reading(names=[typed_name]),
        split=Split(SplitBy.group, typed_name),
        lint=Lint(accept=[f"constant:{typed_name.lstrip()}"]),
    )

    assert [data.target, *(data.features or []), *data.leave_out, *data.kinds] == [name] * 4
    assert [data.group, *(data.reading.names or []), data.split.column] == [name] * 3
    assert data.lint.accept == [f"constant:{name}"]


def test_values_have_the_types_of_the_schema() -> None:
    plain = {
        "path": "own.csv",
        "target": "own",
        "group": "patient",
        "kinds": {"zip": "category", "seen": "date"},
        "reading": {"delimiter": ";", "decimal": ",", "missing": ["-", ""]},
        "split": {"by": "time", "column": "day", "validation": 0.1, "test": 0.3},
    }
    assert typed(Data, plain) == Data(
        path="own.csv",
        target="own",
        group="patient",
        kinds={"zip": Kind.category, "seen": Kind.date},
        reading=Reading(delimiter=";", decimal=",", missing=["-", ""]),
        split=Split(SplitBy.time, "day", validation=0.1, test=0.3),
    )


def test_a_column_whose_format_is_given_is_one_of_dates() -> None:
    data = Data(path="a", target="b", date_formats={" x": "%d.%m.%Y", "y": ["%H:%M", "%H"]})
    assert data.date_formats == {"x": ["%d.%m.%Y"], "y": ["%H:%M", "%H"]}
    assert data.kinds == {"x": Kind.date, "y": Kind.date}
    assert data.problem() is None


@pytest.mark.parametrize("formats", [2019, [], [2019], None, {"a": "b"}])
def test_a_date_format_is_a_text_or_a_list_of_texts(formats: Any) -> None:
    assert Data(path="a", target="b", date_formats={"x": formats}).problem() == (
        f"date_formats: x is {formats!r}, but must be a format such as '%d.%m.%Y', or a list of"
        " formats"
    )


def test_a_column_of_another_kind_has_no_date_format() -> None:
    data = Data(path="a", target="b", kinds={"x": Kind.category}, date_formats={"x": "%Y"})
    assert data.problem() == (
        "date_formats has a format of 'x', whose kind in kinds is category; leave one of them out"
    )
