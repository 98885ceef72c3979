"""The README's example, as a reader types it, in a clone."""

import pytest

from tests.clone import Clone
from tests.readme import blocks, commands, shape


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return Clone(tmp_path_factory.mktemp("readme") / "project")


@pytest.mark.long
def test_the_example_prints_what_the_readme_shows(clone: Clone) -> None:
    _, _, shown = blocks("text")
    (write,) = commands("python -c")
    clone.run(*write)
    (clone.root / "params.yaml").write_text(blocks("yaml")[0], "utf-8")
    printed = clone.run("dvc", "repro").stdout
    assert [line for line in shape(shown) if line not in shape(printed)] == []
    (predict,) = commands("python -m pipeline.predict")
    assert "predicted 178 rows" in clone.run(*predict).stdout
    (register,) = commands("python -m pipeline.register")
    assert "is the champion" in clone.run(*register).stdout
    (clone.root / "params.yaml").write_text(blocks("yaml")[1], "utf-8")
    assert "trained " in clone.run("dvc", "repro").stdout
