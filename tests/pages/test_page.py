"""What the pages share."""

from pathlib import Path

import pytest

from pipeline.pages.page import fill, number, shorten


def test_a_template_extends_the_shared_one_and_what_it_is_given_is_escaped(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '{% extends "base.html" %}{% block body %}{{ name | shorten }}{% endblock %}', "utf-8"
    )
    page = fill(tmp_path / "a.html", title="<T>", name="<script>" + "n" * 60)
    assert "<title>&lt;T&gt;</title>" in page
    assert "&lt;script&gt;" + "n" * 51 + "…" in page
    assert "<script>" not in page


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1.23456, "1.235"), (12345.6, "12,346"), (-1.5e-7, "-1.5e-07"), (2e12, "2e+12")],
)
def test_numbers_have_four_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_a_long_name_is_cut() -> None:
    assert shorten("n" * 60) == "n" * 60
    assert shorten("n" * 61) == "n" * 59 + "…"
