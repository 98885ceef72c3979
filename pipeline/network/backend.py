"""Keras on TensorFlow, imported in one place and without messages.

The import takes about ten seconds. A module that needs Keras for some of its callers only
imports this one inside a function.
"""

import os
from importlib.util import find_spec

from pipeline.runtime.errors import UserError, warn
from pipeline.runtime.imports import heavy_import, quiet_stderr

# 3 keeps fatal errors; other errors are raised as Python exceptions. No setting turns off the
# lines that absl prints before its logging starts ("All log messages before
# absl::InitializeLog()...", "Could not find cuda drivers"), hence the redirection.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
# What is set for other work, in ~/.keras/keras.json or in the environment, must not change results.
os.environ["KERAS_HOME"] = os.devnull
for name in ("TF_ENABLE_ONEDNN_OPTS", "TF_XLA_FLAGS"):
    os.environ.pop(name, None)
# Of XLA's flags, a GPU may need the one that says where CUDA is.
flags = os.environ.get("XLA_FLAGS", "").split()
os.environ["XLA_FLAGS"] = " ".join(flag for flag in flags if "cuda_data_dir" in flag)
# Keras imports these for wrappers and plots that are not used here, in a third of its own
# import time.
with heavy_import(without=("matplotlib", "pydot", "sklearn", "torchvision")), quiet_stderr():
    import keras
    import tensorflow as tf
# Set by Ray for its workers, and by users who run several trainings at once.
threads = os.environ.get("OMP_NUM_THREADS", "")
if threads.isdecimal():
    tf.config.threading.set_intra_op_parallelism_threads(int(threads))
    tf.config.threading.set_inter_op_parallelism_threads(int(threads))
CUDA = find_spec("nvidia") is not None  # whether TensorFlow has what it needs for a GPU
gpus = tf.config.list_physical_devices("GPU")
for gpu in gpus:
    # Other processes, such as those of a queue, share its memory.
    tf.config.experimental.set_memory_growth(gpu, True)
if gpus:
    # Sums in the same order each time; a CPU has that anyway.
    tf.config.experimental.enable_op_determinism()
elif CUDA:
    warn("the CUDA packages are installed, but TensorFlow finds no GPU; see what `nvidia-smi` says")
# Keras may have been imported before, with other settings.
if keras.config.backend() != "tensorflow":
    raise UserError(
        f"Keras runs on {keras.config.backend()}, the pipeline on TensorFlow; import the pipeline"
        " before Keras"
    )
keras.config.set_floatx("float32")
keras.config.set_dtype_policy("float32")
keras.config.set_epsilon(1e-7)
keras.config.set_image_data_format("channels_last")
# A warning about retracing, which is intended when a group shrinks.
tf.get_logger().setLevel("ERROR")
__all__ = ["CUDA", "keras", "tf"]
