"""What the winner of a sweep is compared with beside networks."""

from pathlib import Path

import numpy as np

from pipeline.runtime.files import whole_file
from pipeline.sweep.tables import Table, Vector

NAMES = ("least_squares", "gradient_boosting")


def predictions(rows: Table, cache: Path, inputs_hash: str) -> dict[str, dict[str, Vector]]:
    """The predictions of each of NAMES for each part that has rows. What cache has for the same
    inputs_hash is not computed again."""
    if cache.is_file():
        with np.load(cache, allow_pickle=False) as content:
            if str(content["inputs_hash"]) == inputs_hash:
                return {
                    name: {part: content[f"{name}_{part}"] for part in rows.true} for name in NAMES
                }
    from pipeline.baselines.baselines import predict  # scikit-learn takes a second

    data = rows.data
    tables = predict(data.parts, data.folds, data.encoding)
    predicted = {
        name: {part: tables[part][name].to_numpy() for part in rows.true} for name in NAMES
    }
    arrays = {
        f"{name}_{part}": values for name, one in predicted.items() for part, values in one.items()
    }
    with whole_file(cache) as draft, draft.open("wb") as file:
        np.savez(file, allow_pickle=False, inputs_hash=np.array(inputs_hash), **arrays)
    return predicted
