"""MLflow's scoring server over HTTP, with a model of the test's own."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests
import uvicorn

from pipeline.runtime.errors import UserError
from pipeline.serve import listen
from pipeline.tracking.scoring import application

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:uvicorn")


def predict(rows: pd.DataFrame) -> pd.DataFrame:
    if not pd.api.types.is_numeric_dtype(rows["x"]):
        raise UserError(
            "the request, row 1, column 'x': 'a' is not a finite float32 number; fix it"
        )
    answers = pd.DataFrame({"predicted": 2.0 * rows["x"], "lower": rows["x"] - 1.0})
    return answers.assign(lower=answers["lower"].where(rows["x"] < 100, -np.inf), flags="")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    listening = listen(0)
    server = uvicorn.Server(uvicorn.Config(application(predict), log_level="critical"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()


def post(address: str, content: Any, **headers: str) -> requests.Response:
    sent = {"Content-Type": "application/json"} | headers
    return requests.post(f"{address}/invocations", json.dumps(content), headers=sent, timeout=60)


def rows(*cells: Any) -> dict[str, Any]:
    return {"dataframe_records": [{"x": cell} for cell in cells]}


def test_rows_are_answered_in_their_order(address: str) -> None:
    answer = post(address, rows(1, 2.5))
    assert answer.status_code == 200
    assert answer.json()["predictions"] == [
        {"predicted": 2.0, "lower": 0.0, "flags": ""},
        {"predicted": 5.0, "lower": 1.5, "flags": ""},
    ]
    split = {"dataframe_split": {"columns": ["x"], "data": [[1], [2.5]]}}
    assert post(address, split).json() == answer.json()


def test_an_infinite_end_is_null_as_json_has_no_infinity(address: str) -> None:
    answer = post(address, rows(1, 200))
    assert [one["lower"] for one in answer.json()["predictions"]] == [0.0, None]


def test_a_bad_row_is_answered_with_the_line_of_the_error_alone(address: str) -> None:
    answer = post(address, rows("a"))
    assert answer.status_code == 400
    assert answer.json() == {
        "error_code": "BAD_REQUEST",
        "message": "the request, row 1, column 'x': 'a' is not a finite float32 number; fix it",
    }


@pytest.mark.parametrize("content", [{"inputs": {"x": [1]}}, {"instances": [{"x": 1}]}])
def test_what_are_no_rows_is_answered_with_how_to_send_them(address: str, content: Any) -> None:
    answer = post(address, content)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("the request: send rows as JSON, ")


@pytest.mark.parametrize("content", [[{"x": 1}], {"rows": [{"x": 1}]}, 3])
def test_json_of_another_form_is_a_bad_request(address: str, content: Any) -> None:
    assert post(address, content).status_code == 400


@pytest.mark.parametrize("kind", ["text/csv", "application/x-www-form-urlencoded", ""])
def test_rows_that_are_not_json_are_refused(address: str, kind: str) -> None:
    answer = post(address, rows(1), **{"Content-Type": kind})
    assert answer.status_code == 415
    assert answer.text.startswith("the request: send rows as JSON, ")


LOCAL = ["127.0.0.1", "127.0.0.1:80", "localhost:5001", "[::1]:5001", "LOCALHOST"]
FOREIGN = ["example.org", "127.0.0.1.example.org", "localhost.example.org:5001", "10.0.0.1", "[a"]


@pytest.mark.parametrize(("hosts", "status"), [(LOCAL, 200), (FOREIGN, 403)])
def test_requests_by_another_name_and_from_another_site_are_refused(
    address: str, hosts: list[str], status: int
) -> None:
    for host in hosts:
        assert post(address, rows(1), Host=host).status_code == status, host
        assert post(address, rows(1), Origin=f"http://{host}").status_code == status, host
        ping = requests.get(f"{address}/ping", headers={"Host": host}, timeout=60)
        assert ping.status_code == status, host
    assert post(address, rows(1), Origin="null").status_code == 403


def test_many_requests_at_once_are_each_answered_with_their_own_rows(address: str) -> None:
    found: dict[int, float] = {}

    def ask(number: int) -> None:
        answer = post(address, rows(number)).json()["predictions"]
        found[number] = answer[0]["predicted"]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: 2.0 * number for number in range(20)}
