"""Serves the champion over HTTP or, where there is none, the model in data/model."""

import socket
from contextlib import suppress
from functools import partial

from pipeline.compose.schema import read_config
from pipeline.predict import load, model_folder, read_contract
from pipeline.runtime.entry import CommandParser, leave, run
from pipeline.runtime.errors import UserError
from pipeline.runtime.paths import MODEL
from pipeline.schema.location import Location

SOURCE = "the request"


def command_parser() -> CommandParser:
    parser = CommandParser("pipeline.serve", __doc__)
    parser.add_argument(
        "--model", help="a model folder or an MLflow model; by default the champion or data/model"
    )
    parser.add_argument(
        "--port", type=int, default=5001, help="the port on 127.0.0.1 (default: %(default)s)"
    )
    return parser


def main(model: str | None, port: int) -> None:
    with suppress(KeyboardInterrupt), listen(port) as listening:
        # MLflow takes seconds to import, and Keras too.
        from pipeline.tracking import scoring

        name = model or default_model()
        with model_folder(name) as folder:
            read_contract(folder)
            predictor = load(folder)
        address = "http://{}:{}".format(*listening.getsockname())
        predict = partial(predictor.predict, source=SOURCE, locate=row_of_request)
        print(f"serving {name} at {address}/invocations until Ctrl-C", flush=True)
        scoring.serve(scoring.application(predict), listening)


def listen(port: int) -> socket.socket:
    """A socket that listens on the loopback interface. Raises UserError for a port in use."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen()
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"--port: {port} cannot be used: {reason}; choose another: `make serve PORT=NUMBER`"
        ) from error
    return listening


def default_model() -> str:
    """The champion of the registry, or data/model if there is none."""
    from pipeline.tracking.registry import Registry

    config = read_config()
    champion = Registry(config).champion() if config.tracking.enabled else None
    return champion.uri if champion else str(MODEL)


def row_of_request(position: int) -> Location:
    return Location(SOURCE, position + 1)


if __name__ == "__main__":
    run(main, command_parser())
    leave()
