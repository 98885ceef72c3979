"""Keras on TensorFlow, imported in one place and quietly.

The import costs about ten seconds, so a module that only some of its callers
need Keras for must not import this one at its top.
"""

import gc
import os

from pipeline.command import quiet_stderr

# 3 keeps fatal errors; everything else that matters arrives as a Python
# exception. The lines that absl prints before its logging starts ("All log
# messages before absl::InitializeLog()...", "Could not find cuda drivers") obey
# no setting, hence the redirection.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

# All that an import makes is kept: looking through it for garbage is a tenth of the time.
_collecting = gc.isenabled()
gc.disable()
try:
    with quiet_stderr():
        import keras
        import tensorflow as tf
finally:
    if _collecting:
        gc.enable()

# That a group is traced anew when members have left it is what is meant.
tf.get_logger().setLevel("ERROR")

__all__ = ["keras", "tf"]
