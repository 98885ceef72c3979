"""Composing takes most of the time of some tests: what several of them compose is shared."""

import copy
from collections.abc import Sequence
from pathlib import Path

from pipeline.compose.experiment import Composed, compose
from pipeline.compose.sources import PARAMS

_shared: dict[tuple[str, ...], Composed] = {}


def compose_once(root: Path, overrides: Sequence[str] = ()) -> Composed:
    """compose, for folders with the repository's conf/. A mistake is composed each time."""
    key = ((root / PARAMS).read_text("utf-8"), *overrides)
    if key not in _shared:
        _shared[key] = compose(root, overrides)
    return copy.deepcopy(_shared[key])
