"""Keras is imported without messages and without the libraries that it optionally uses."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import sys
from pipeline.network.backend import keras, tf
assert not {"matplotlib", "sklearn"} & set(sys.modules)
print(keras.backend.backend(), int(tf.constant(1)))
print(tf.config.threading.get_intra_op_parallelism_threads())
"""


@pytest.mark.long
def test_the_import_is_silent_and_lean_and_takes_the_threads_that_it_is_given() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env=os.environ | {"OMP_NUM_THREADS": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("tensorflow 1\n3\n", "", 0)


SETTINGS = """
import sys
if {before}:
    import keras
from pipeline.network.backend import keras
c = keras.config
print(c.backend(), c.floatx(), c.dtype_policy().name, c.epsilon(), c.image_data_format())
print(keras.layers.Dense(1).dtype_policy.name)
"""


@pytest.mark.long
@pytest.mark.parametrize(("by", "before"), [("HOME", False), ("KERAS_HOME", True)])
def test_what_is_set_for_other_work_changes_nothing(
    by: str, before: object, tmp_path: Path
) -> None:
    folder = tmp_path / (".keras" if by == "HOME" else "")
    folder.mkdir(exist_ok=True)
    others = {"floatx": "float64", "epsilon": 0.5, "image_data_format": "channels_first"}
    text = json.dumps(others | {"backend": "tensorflow" if before else "jax"})
    (folder / "keras.json").write_text(text, "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", SETTINGS.format(before=before)],
        env=os.environ | {by: str(tmp_path), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "tensorflow float32 float32 1e-07 channels_last\nfloat32\n"


@pytest.mark.long
def test_settings_that_keras_would_refuse_are_not_read_and_a_missing_gpu_is_named(
    tmp_path: Path,
) -> None:
    text = '{"epsilon": 1, "floatx": "int8"}'
    (tmp_path / "keras.json").write_text(text, "utf-8")
    (tmp_path / "nvidia").mkdir()  # as if CUDA was installed
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env=os.environ | {"KERAS_HOME": str(tmp_path), "PYTHONPATH": f"{tmp_path}:."},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (tmp_path / "keras.json").read_text("utf-8") == text
    assert re.fullmatch("warning: the CUDA packages .* TensorFlow finds no GPU; .*\n", done.stderr)
