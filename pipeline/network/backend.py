"""Keras on TensorFlow, imported in one place and quietly.

The import costs about ten seconds, so a module that only some of its callers
need Keras for must not import this one at its top.
"""

import os

from pipeline.runtime.imports import importing, quiet_stderr

# 3 keeps fatal errors; everything else that matters arrives as a Python
# exception. The lines that absl prints before its logging starts ("All log
# messages before absl::InitializeLog()...", "Could not find cuda drivers") obey
# no setting, hence the redirection.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
# Keras has wrappers and plots for these, which nothing here uses; they take a third of
# the time that it takes to import.
with importing("matplotlib", "pydot", "sklearn", "torchvision"), quiet_stderr():
    import keras
    import tensorflow as tf
# That a group is traced anew when members have left it is what is meant.
tf.get_logger().setLevel("ERROR")
__all__ = ["keras", "tf"]
