"""Keras, imported quietly and without what nothing here uses of it."""

import subprocess
import sys

CODE = """
import sys
from pipeline.backend import keras, tf
assert "sklearn" not in sys.modules
assert "matplotlib" not in sys.modules
import matplotlib.pyplot
import sklearn.metrics
print(keras.backend.backend(), int(tf.constant(1)))
"""


def test_the_import_is_quiet_and_leaves_others_to_whoever_needs_them() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("tensorflow 1\n", "", 0)
