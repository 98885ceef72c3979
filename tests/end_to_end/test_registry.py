"""Models are registered, replaced, rolled back and served by the real commands and processes."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import requests

from tests.clone import Clone
from tests.planted import URL, PlantedClone
from tests.readme import blocks, commands

pytestmark = pytest.mark.long
PAGE = "docs/registry.md"
PARAMS = """\
data: {path: data/raw/t.csv, target: y, split: {validation: 0.2, test: 0.2}}
training: {epochs: %d}
"""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> PlantedClone:
    return PlantedClone(tmp_path_factory.mktemp("registry") / "clone")


@contextmanager
def server(clone: Clone, *arguments: str) -> Iterator[str]:
    """The address of a server that runs for the length of the block, and ends at Ctrl-C without a
    word."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.serve", "--port", "0", *arguments],
        cwd=clone.root, env=clone.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()
    try:
        yield line.split(" at ")[1].split()[0]
    finally:
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=60)
    assert (process.returncode, *rest) == (0, "", "")


def test_the_documented_request_is_answered_as_documented(clone: Clone) -> None:
    clone.repro()
    (command,) = commands("curl", PAGE)
    headers = dict([command[command.index("-H") + 1].split(": ")])
    sent = command[command.index("-d") + 1]
    answered = next(text for text in blocks("text", PAGE) if text.startswith('{"predictions"'))
    refused = next(text for text in blocks("text", PAGE) if text.startswith('{"error_code"'))
    with server(clone) as address:
        assert requests.get(address.replace("invocations", "ping"), timeout=60).status_code == 200
        answer = requests.post(address, sent, headers=headers, timeout=60)
        assert answer.status_code == 200
        found, documented = (json.loads(text)["predictions"] for text in (answer.text, answered))
        for one, other in zip(found, documented, strict=True):
            assert one == other | {"predicted": pytest.approx(other["predicted"], rel=1e-6)}
        bad = sent.replace("-3", '"a"')
        answer = requests.post(address, bad, headers=headers, timeout=60)
        assert (answer.status_code, answer.json()) == (400, json.loads(refused))
        foreign = headers | {"Origin": "https://example.org"}
        assert requests.post(address, sent, headers=foreign, timeout=60).status_code == 403
        port = address.split(":")[2].split("/")[0]
        done = clone.python("-m", "pipeline.serve", "--port", port, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith(f"error: --port: {port} cannot be used: Address already in")
        # The message of predict names the file instead of the request.
        Path(clone.root / "bad.csv").write_text("X\n5\na\n", "utf-8")
        done = clone.python("-m", "pipeline.predict", "bad.csv", check=False)
        line = json.loads(refused)["message"].removeprefix("the request, row 2, ")
        assert done.stderr == f"error: bad.csv, row 2 below the header, {line}\n"


def test_a_better_model_becomes_the_champion_and_a_worse_one_does_not(clone: Clone) -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 400))
    table = pd.DataFrame({"a": a, "b": b, "y": a * b + 10 + 0.1 * random.normal(size=400)})
    table.to_csv(clone.root / "data/raw/t.csv", index=False)
    printed, statuses = [], []
    for epochs in (8, 2, 40):
        (clone.root / "params.yaml").write_text(PARAMS % epochs, "utf-8")
        clone.repro()
        done = clone.python("-m", "pipeline.register", check=False)
        statuses.append(done.returncode)
        printed.append(done.stdout + done.stderr)
    assert statuses == [0, 1, 0]
    first, worse, better = printed
    assert first.endswith("version 1 of t is the champion: models:/t@champion\n")
    assert worse.splitlines()[0].startswith("error: test: worse than the champion by ")
    assert worse.endswith(
        "version 2 of t does not become the champion; version 1 remains the champion\n"
    )
    assert "test: better than the champion by " in better
    listed = clone.python("-m", "pipeline.register", "--list").stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["version", "3", "2", "1"]
    assert "champion" in listed[1]
    assert "failed" in listed[2]

    model = ("--model", "models:/t@champion")
    clone.python("-m", "pipeline.predict", "data/raw/t.csv", *model)
    clone.python("-m", "pipeline.predict", "data/raw/t.csv", "--output", "own.csv")
    assert clone.read("predictions.csv") == clone.read("own.csv")
    rows = table.head(3)[["b", "a"]].to_dict("records")
    with server(clone) as address:
        answer = requests.post(address, json={"dataframe_records": rows}, timeout=60)
    served = pd.DataFrame(answer.json()["predictions"])
    predicted = pd.read_csv(clone.root / "own.csv").head(3)
    assert list(served.columns) == ["predicted", "lower", "upper", "flags"]
    np.testing.assert_allclose(served["predicted"], predicted["predicted"], rtol=1e-5)
    np.testing.assert_allclose(served["lower"], predicted["lower"], rtol=1e-5)

    done = clone.python("-m", "pipeline.register", "--rollback")
    assert done.stdout == "version 1 of t is the champion again, not 3\n"


def test_no_secret_is_in_what_all_of_this_has_printed_and_written(clone: PlantedClone) -> None:
    """The last test: it looks at what the others have left."""
    done = clone.python("-m", "pipeline.stages.configure", f"tracking.uri={URL}", check=False)
    assert "tracking.uri holds a password" in done.stderr
    for module in ("track", "doctor"):
        tried = clone.run(
            sys.executable, "-m", f"pipeline.{module}", check=False,
            environment={"MLFLOW_TRACKING_URI": URL},
        )  # fmt: skip
        assert "http://***@127.0.0.1:9" in tried.stdout + tried.stderr
    # Of all runs: params.yaml was another file for some of them.
    diffs = [path.read_text("utf-8") for path in clone.root.glob("mlruns/**/provenance/git.diff")]
    for hidden in ("# api_key: ***", "# token: *** (ask Ann)", "TOKEN: str = ***"):
        assert any(hidden in diff for diff in diffs), hidden
    (code, *_) = clone.root.glob("mlruns/**/code/pipeline/serve.py")
    assert "password = '***'" in code.read_text("utf-8").replace('"', "'")
    assert clone.leaks() == []
