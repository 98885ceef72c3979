"""The notebook in docs/, as a reader runs it."""

from copy import deepcopy

import nbformat
import pytest
from nbclient import NotebookClient

from tests.readme import ROOT, shape

FOLDER = ROOT / "docs"


def shown(notebook: nbformat.NotebookNode) -> list[list[str]]:
    """The kinds of each output of a cell, and the lines of its text, without their digits."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    texts = [one.get("text") or one.get("evalue") or one.data["text/plain"] for one in outputs]
    return [
        [one.output_type, *sorted(one.get("data", ())), *shape(text)]
        for one, text in zip(outputs, texts, strict=True)
    ]


@pytest.mark.long
def test_the_notebook_shows_what_it_has_kept() -> None:
    before = {path.name for path in FOLDER.iterdir()}
    kept = nbformat.read(FOLDER / "python.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    resources = {"metadata": {"path": str(FOLDER)}}
    run = NotebookClient(deepcopy(kept), timeout=300, resources=resources).execute()
    assert shown(run) == shown(kept)
    assert {path.name for path in FOLDER.iterdir()} == before
