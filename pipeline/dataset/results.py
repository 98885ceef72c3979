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


def lines(metrics: Metrics, verdict: str | None = None) -> list[str]:
    """A line for each part: RMSE with its interval, MAE and R²; of what is no part, all; and the
    verdict if there is one."""
    texts = []
    for part, values in metrics.items():
        names = [name for name in ("rmse", "mae", "r2") if name in values] or list(values)
        each = (f"{name} {values[name]:.5g}{_interval(values, name)}" for name in names)
        texts.append(f"{part.replace('_', '-')}: {', '.join(each)}")
        if "coverage" in values:
            texts.append(
                f"{part}: {100 * values['coverage']:.3g} % of the rows are within their"
                f" {100 * values['nominal_coverage']:g} % interval, which is"
                f" {values['interval_width']:.5g} wide on average"
            )
    return [*texts, *([verdict] if verdict else [])]


def _interval(values: Mapping[str, float], name: str) -> str:
    low, high = (values.get(f"{name}_{end}") for end in ("low", "high"))
    return "" if low is None or name != "rmse" else f" ({low:.5g} to {high:.5g})"
