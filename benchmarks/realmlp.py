"""RealMLP-TD with its defaults; runs in the peers' environment, by benchmarks/quality.py.

It reads a pickle of the training rows' features, their target and the test rows' features, and
writes one of the predictions.
"""

import importlib.util
import logging
import pickle
import sys
import warnings
from contextlib import redirect_stdout

# Lightning's remarks about its loops and devices.
warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)


def main() -> None:
    from pytabkit import RealMLP_TD_Regressor

    x, y, test = pickle.load(sys.stdin.buffer)  # noqa: S301 - of the process that has started this one
    means = x.mean(numeric_only=True)  # it takes no number that is missing
    with redirect_stdout(sys.stderr):
        model = RealMLP_TD_Regressor(device="cpu", random_state=0)
        predicted = model.fit(x.fillna(means), y).predict(test.fillna(means))
    sys.stdout.buffer.write(pickle.dumps(predicted))


if __name__ == "__main__":
    if sys.argv[1:] == ["--installed"]:
        sys.exit(importlib.util.find_spec("pytabkit") is None)
    main()
