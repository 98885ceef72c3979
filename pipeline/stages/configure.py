"""conf/ + params.yaml  ->  data/config.yaml, composed, typed and checked."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from pipeline.compose.experiment import compose, warnings
from pipeline.runtime.entry import CommandParser
from pipeline.runtime.errors import warn
from pipeline.runtime.files import write_text
from pipeline.runtime.paths import COMPOSED
from pipeline.tracking.stage_command import run_stage

HEADER = "# Written by the configure stage from conf/ and params.yaml; edit those.\n"


def main(overrides: Sequence[str] = ()) -> None:
    composed = compose(Path(), overrides)
    for line in warnings(Path(), composed.config):
        warn(line)
    write_text(COMPOSED, HEADER + yaml.safe_dump(composed.plain, sort_keys=False))


if __name__ == "__main__":
    parser = CommandParser("pipeline.stages.configure", __doc__)
    parser.add_argument(
        "overrides", nargs="*", metavar="KEY=VALUE", help="wins over params.yaml, as in Hydra"
    )
    run_stage(main, parser)
