"""The errors in data/metrics.json as text."""

import json
from collections.abc import Mapping

CHOSEN_BY_FOLD = (
    "cv: the network of each fold has kept its best epoch on the rows that it is scored on, so"
    " these errors are too low; training.early_stopping.shared=true chooses one epoch for all folds"
)
Metrics = Mapping[str, Mapping[str, float]]


def to_json(metrics: Metrics) -> str:
    """The content of data/metrics.json."""
    return json.dumps(metrics, indent=2) + "\n"


def lines(metrics: Metrics) -> list[str]:
    """A line for each part, without the errors of single folds."""
    texts = {
        part.replace("_", "-"): [
            f"{name} {value:.6g}" for name, value in values.items() if not name.startswith("fold_")
        ]
        for part, values in metrics.items()
    }
    return [f"{part}: {', '.join(each)}" for part, each in texts.items()]
