"""MLflow's scoring server for a model of this pipeline, reachable from this machine alone."""

import json
import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.middleware.base import RequestResponseEndpoint

from pipeline.runtime.errors import UserError
from pipeline.tracking.backend import BAD_REQUEST, MlflowException, Model, scoring_server

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
EXPECTED = (
    'the request: send rows as JSON, {"dataframe_records": [{"COLUMN": VALUE, ...}, ...]}, with'
    " the header Content-Type: application/json"
)
Predict = Callable[[pd.DataFrame], pd.DataFrame]


class BadRowsError(MlflowException):
    """Rows that cannot be predicted. The server would put all rows of the request before the
    message of another MlflowException."""

    def __init__(self, line: str) -> None:
        super().__init__(line, error_code=BAD_REQUEST)
        self._line = line

    def serialize_as_json(self) -> str:
        return json.dumps({"error_code": self.error_code, "message": self._line})


def application(predict: Predict) -> FastAPI:
    """The scoring server's application.

    Parameters
    ----------
    predict
        From the rows of a request to a row of answers for each. Its UserError is answered with
        status 400 and its text.
    """

    def answers(rows: Any) -> pd.DataFrame:
        if not isinstance(rows, pd.DataFrame):
            raise BadRowsError(EXPECTED)
        try:
            predicted = predict(rows)
        except UserError as error:
            raise BadRowsError(str(error)) from error
        # JSON has no infinity.
        infinite = predicted.isin([np.inf, -np.inf])
        return (
            predicted.astype(object).mask(infinite, None) if infinite.any(axis=None) else predicted
        )

    # Without a schema: MLflow's checks of it have other messages than `predict`.
    app: FastAPI = scoring_server().init(SimpleNamespace(metadata=Model(), predict=answers))

    @app.middleware("http")
    async def check(request: Request, call_next: RequestResponseEndpoint) -> Response:
        # A page of a browser may send requests here, also under a name that leads here.
        origin = request.headers.get("origin")
        if not is_local(request.headers.get("host", "")):
            return Response("the request: its Host is not this machine's\n", 403)
        if origin is not None and not is_local(origin.partition("://")[2]):
            return Response("the request: its Origin is a page of another site\n", 403)
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        # pandas would read the codes in a CSV file as numbers.
        if request.method == "POST" and kind.lower() != "application/json":
            return Response(f"{EXPECTED}\n", 415)
        return await call_next(request)

    return app


def is_local(host: str) -> bool:
    """Whether HOST or HOST:PORT is a name of this machine's loopback interface."""
    try:
        return urlsplit(f"//{host}").hostname in LOOPBACK
    except ValueError:
        return False


def serve(app: FastAPI, listening: socket.socket) -> None:
    """Answers requests until the process is asked to stop."""
    config = uvicorn.Config(app, log_level="warning", lifespan="off")
    uvicorn.Server(config).run(sockets=[listening])
