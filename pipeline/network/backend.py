"""Keras on TensorFlow, imported in one place and without messages.

The import takes about ten seconds. A module that needs Keras for some of its callers only
imports this one inside a function.
"""

import os

from pipeline.runtime.imports import heavy_import, quiet_stderr

# 3 keeps fatal errors; other errors are raised as Python exceptions. No setting turns off the
# lines that absl prints before its logging starts ("All log messages before
# absl::InitializeLog()...", "Could not find cuda drivers"), hence the redirection.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
# Keras imports these for wrappers and plots that are not used here, in a third of its own
# import time.
with heavy_import(without=("matplotlib", "pydot", "sklearn", "torchvision")), quiet_stderr():
    import keras
    import tensorflow as tf
# A warning about retracing, which is intended when a group shrinks.
tf.get_logger().setLevel("ERROR")
__all__ = ["keras", "tf"]
