"""Findings as lines for people, and what is done about them."""

import re
from dataclasses import fields

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.data import Lint, Policy
from pipeline.preparation.findings import KINDS, Finding, apply_policies
from pipeline.runtime.errors import UserError

COPY = Finding("target_copy", "price_eur", "r = 0.99999")
NAME = Finding("identifier", "car name", "312 of 398 values are unique")


def test_a_finding_is_one_line_with_a_remedy() -> None:
    assert COPY.message("data/raw/a.csv") == (
        "data/raw/a.csv, column 'price_eur': is a copy of the target (r = 0.99999);"
        " leave it out with data.leave_out=[price_eur],"
        " or accept it with data.lint.accept=[target_copy:price_eur]"
    )
    assert NAME.message("a.csv").endswith(
        "leave it out with data.leave_out=['car name'],"
        " or accept it with data.lint.accept=['identifier:car name']"
    )
    assert Finding("shared_rows", "", "row 3, in train and row 7, in test").message("a.csv") == (
        "a.csv: equal rows are in more than one part (row 3, in train and row 7, in test);"
        " remove the copies, or accept it with data.lint.accept=[shared_rows]"
    )
    assert Finding("shared_group", "g", "2 of 8").message("a.csv") == (
        "a.csv, column 'g': groups are in more than one part (2 of 8);"
        " split by them with data.split.by=group data.split.column=g,"
        " or accept it with data.lint.accept=[shared_group:g]"
    )


def test_a_remedy_lists_the_values_or_columns_of_the_finding() -> None:
    code = Finding("missing_code", "co", "-999 in 18 rows", ("-999",)).message("a.csv")
    assert code == (
        "a.csv, column 'co': a value is far from all others (-999 in 18 rows); if it stands for"
        " a missing value, set data.reading.more_missing=['-999'], or accept it with"
        " data.lint.accept=[missing_code:co]"
    )
    total = Finding("target_sum", "", "= 1 · a + 1 · b c", ("a", "b c")).message("a.csv")
    assert "; leave them out with data.leave_out=[a,'b c'], or accept it with" in total


@pytest.mark.parametrize("kind", KINDS)
def test_each_finding_can_be_accepted_as_its_message_says(kind: str) -> None:
    one = Finding(kind, "a.b", "so it is")
    typed = one.message("t.csv").rpartition(" ")[2]
    accept = OverridesParser.create().parse_override(typed).value()
    lint = Lint()
    setattr(lint, kind, Policy.error)
    with pytest.raises(UserError):
        apply_policies([one], lint, "t.csv")
    assert isinstance(accept, list)
    lint.accept = accept
    assert apply_policies([one], lint, "t.csv") == []


@given(st.text(st.sampled_from("aZ_1 .:,'\"\\[]{}()=-+ü/#$"), min_size=1))
def test_any_name_can_be_typed_as_the_message_says(name: str) -> None:
    message = Finding("identifier", name, "").message("")
    typed = message[message.rindex("data.lint.accept=") :]
    assert OverridesParser.create().parse_override(typed).value() == [f"identifier:{name}"]


@pytest.mark.parametrize("name", ["null", "True", "nan", "inf", "1e5", "007"])
def test_a_name_that_hydra_would_take_for_a_value_is_quoted(name: str) -> None:
    assert f"data.leave_out=['{name}']" in Finding("identifier", name, "").message("")


def test_a_line_break_in_a_name_is_escaped_as_params_yaml_reads_it() -> None:
    message = Finding("constant", "net\nprice", "").message("")
    (value,) = re.findall(r"data.leave_out=(\[.*?\])", message)
    assert "\n" not in message
    assert yaml.safe_load(value) == ["net\nprice"]


def test_errors_are_raised_all_together_and_warnings_returned() -> None:
    assert apply_policies([NAME], Lint(), "a.csv") == [NAME]
    strict = Lint(identifier=Policy.error)
    with pytest.raises(UserError) as caught:
        apply_policies([COPY, NAME], strict, "a.csv")
    assert str(caught.value) == f"{COPY.message('a.csv')}\n{NAME.message('a.csv')}"


def test_an_accepted_finding_is_not_reported() -> None:
    lint = Lint(identifier=Policy.accept, accept=["target_copy:price_eur"])
    assert apply_policies([COPY, NAME], lint, "a.csv") == []


def test_another_column_is_not_accepted_with_it() -> None:
    with pytest.raises(UserError, match="price_eur"):
        apply_policies([COPY], Lint(accept=["target_copy:price"]), "a.csv")


def test_an_unknown_kind_cannot_be_accepted() -> None:
    with pytest.raises(UserError) as caught:
        apply_policies([], Lint(accept=["identifer:name"]), "a.csv")
    assert str(caught.value) == (
        "data.lint.accept: the kind 'identifer' of 'identifer:name' does not exist; the kinds are"
        f" {', '.join(item.name for item in fields(Lint) if item.name != 'accept')}"
    )


def test_every_policy_is_of_a_finding_that_exists() -> None:
    assert set(KINDS) == {item.name for item in fields(Lint)} - {"accept"}
