"""The errors in data/metrics.json as text."""

from collections.abc import Mapping


def lines(metrics: Mapping[str, Mapping[str, float]]) -> list[str]:
    """A line for each part, without the errors of single folds."""
    texts = {
        part.replace("_", "-"): [
            f"{name} {value:.6g}" for name, value in values.items() if not name.startswith("fold_")
        ]
        for part, values in metrics.items()
    }
    return [f"{part}: {', '.join(each)}" for part, each in texts.items()]
