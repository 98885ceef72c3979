"""conf/ + params.yaml  ->  data/config.yaml, composed, typed and checked.

python -m pipeline.stages.configure [KEY=VALUE ...]
"""

import sys
from pathlib import Path

import yaml

from pipeline.compose.experiment import compose, doubts
from pipeline.config.section import COMPOSED
from pipeline.runtime.errors import warn
from pipeline.runtime.files import write_text
from pipeline.tracking.stage_command import run_stage

HEADER = "# Written by the configure stage from conf/ and params.yaml; edit those.\n"


def main() -> None:
    composed = compose(Path(), sys.argv[1:])
    for line in doubts(Path(), composed):
        warn(line)
    write_text(COMPOSED, HEADER + yaml.safe_dump(composed, sort_keys=False))


if __name__ == "__main__":
    run_stage("configure", main)
