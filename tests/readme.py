"""The commands that the README tells its reader to type."""

import re
import shlex
from pathlib import Path

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def commands(start: str) -> list[list[str]]:
    """Those that begin with start, in the README's order, split as a shell would."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith(start)]
    return [shlex.split(line, comments=True) for line in lines]
