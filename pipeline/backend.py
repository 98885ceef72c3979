"""Keras on TensorFlow, imported in one place and quietly.

The import costs about ten seconds, so a module that only some of its callers
need Keras for must not import this one at its top.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pipeline.command import importing, quiet_stderr

# 3 keeps fatal errors; everything else that matters arrives as a Python
# exception. The lines that absl prints before its logging starts ("All log
# messages before absl::InitializeLog()...", "Could not find cuda drivers") obey
# no setting, hence the redirection.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

# What Keras takes only where it is installed (for wrappers and plots that nothing here
# uses), and what takes a third of its time to import.
OPTIONAL = ("matplotlib", "pydot", "sklearn", "torchvision")


@contextmanager
def _without(names: Iterable[str]) -> Iterator[None]:
    """As if none of these were installed; those that are imported already stay so. None
    in sys.modules is Python's own way to say it. No other thread may import them meanwhile."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type] # None is allowed there
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


with importing(), quiet_stderr(), _without(OPTIONAL):
    import keras
    import tensorflow as tf

# That a group is traced anew when members have left it is what is meant.
tf.get_logger().setLevel("ERROR")

__all__ = ["keras", "tf"]
