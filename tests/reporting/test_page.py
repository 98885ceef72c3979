"""The page of a report."""

import re
from dataclasses import replace

import pandas as pd

from pipeline.reporting.page import MAX_COLUMNS, Origin, render
from tests.pages.parsed import Page
from tests.reporting.made import BETTER, BY_COLUMN, COLUMNS, IMPORTANCE, SLICES, config, result

SCRIPT = "<script>alert(\"x\")</script> & 'q'"
ORIGIN = Origin("c0ffee", "plain-c0ffee", "0123abcd", None, changed=True, packages={"keras": "3"})
WHOLE = result(
    tables={
        "baselines": BETTER, "slices": SLICES, "errors_by_column": BY_COLUMN,
        "importance": IMPORTANCE,
    },
    figures={"residuals": b"PNG", "importance": b"PNG", "partial_dependence": b"PNG"},
    warnings=["size: a value is far from all others"],
)  # fmt: skip


def test_the_page_begins_with_the_verdict() -> None:
    words = Page(render(WHOLE, "why", ORIGIN)).words()
    body = words.split("Report of a model that predicts y ", 1)[1]
    assert body.startswith("The model predicts y with a typical error (RMSE) of 2 (1.6 to 2.5)")


def test_the_page_has_the_evidence_and_the_card() -> None:
    found = re.sub(r"\s", "", Page(render(WHOLE, "why", ORIGIN)).text)
    for text in (
        "test402(1.6to2.5)1.5(1.1to1.9)1.256-0.50.75",
        "ridgeregressiontest2.2betterby9.0%(1.0to17.0%)",
        "isnotknown:why.",
        "for87.5%ofthe40testrows",
        "size>3andcolour=red1,2005(4to6.25)1.50.0012",
        "size:avalueisfarfromallothers",
        "Tabletable.csvTargetyRows60training,40test",
        "sizenumeric12.5%1to12,346standardised",
        "colourcategory0%2;red:60%oneinputforeachof2categories",
        "python-mpipeline.predictROWS.csv",
        "gitcheckout0123abcdmakerepro",
        "Filesdifferedfromthatcommit",
        "Fingerprintc0ffeeVersionskeras3",
    ):
        assert text in found
    # Of the column that matters most first.
    assert found.index("colourred24") < found.index("size1to320")


def test_what_there_is_nothing_of_is_not_on_the_page() -> None:
    bare = render(result(tables={}), "why", Origin("c0ffee", unknown="Git cannot be started"))
    found = Page(bare).words()
    for words in ("Where it fails", "What it uses", "Beside baselines", "git checkout", "The run"):
        assert words not in found
    assert "is not known for sure: Git cannot be started." in found
    assert "Nothing doubtful." in found


def test_where_the_search_for_slices_found_none_the_page_says_so() -> None:
    searched = replace(WHOLE, tables={"errors_by_column": BY_COLUMN})
    found = Page(render(searched, "why", ORIGIN)).words()
    assert "Among 40 test rows used for nothing else, no kind was found" in found


def test_what_comes_from_the_data_is_text_and_never_markup() -> None:
    data = replace(config().data, path=SCRIPT, target=SCRIPT)
    odd = replace(
        WHOLE,
        config=replace(config(), data=data),
        columns=pd.DataFrame(COLUMNS | dict.fromkeys(("column", "kind", "used_as"), [SCRIPT] * 3)),
        tables={
            "slices": SLICES.assign(slice=SCRIPT),
            "errors_by_column": BY_COLUMN.assign(column=SCRIPT, values=SCRIPT),
            "importance": IMPORTANCE.assign(column=SCRIPT),
        },
        warnings=[SCRIPT],
    )
    page = Page(render(odd, SCRIPT, replace(ORIGIN, run=SCRIPT, unknown=SCRIPT)))
    assert "script" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert page.text.count(SCRIPT) > 10


def test_the_page_needs_nothing_beside_itself_and_is_the_same_each_time() -> None:
    text = render(WHOLE, "why", ORIGIN)
    assert text == render(WHOLE, "why", ORIGIN)
    assert not re.search(r"https?:|url\(|@import|<script|<link|href=", text)
    assert set(re.findall(r'src="(.{22})', text)) == {"data:image/png;base64,"}
    assert text.count("<img") == text.count("alt=") == 3


def test_of_many_columns_the_first_are_listed() -> None:
    columns = pd.concat([pd.DataFrame(COLUMNS)] * 100)
    text = render(replace(WHOLE, columns=columns), "why", ORIGIN)
    assert text.count("standardised</bdi>") == -(-MAX_COLUMNS // 3)
    assert "100 more columns are in data/prepared/profile.csv." in Page(text).words()
