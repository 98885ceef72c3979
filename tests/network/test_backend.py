"""Keras is imported without messages and without the libraries that it optionally uses."""

import subprocess
import sys

import pytest

CODE = """
import sys
from pipeline.network.backend import keras, tf
assert not {"matplotlib", "sklearn"} & set(sys.modules)
print(keras.backend.backend(), int(tf.constant(1)))
"""


@pytest.mark.long
def test_the_import_prints_nothing_and_loads_no_optional_library() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("tensorflow 1\n", "", 0)
