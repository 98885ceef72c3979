"""How the trials of a sweep may encode the same prepared rows."""

from dataclasses import replace

from pipeline.config.data import Data, ScaleTarget
from pipeline.preparation.encoding_fit import fit_encoding, fit_fold_encodings
from pipeline.preparation.preparation import Prepared
from pipeline.runtime.errors import UserError

# The keys of data that change how the prepared rows are encoded, and nothing else.
ENCODING_KEYS = (
    "scale_inputs", "bins", "bin_edges", "scale_target", "impute", "min_category_count",
    "max_categories",
)  # fmt: skip


def fit(data: Prepared, section: Data) -> Prepared:
    """The same rows with the encoding that preparing them with that section fits, where it differs
    in ENCODING_KEYS alone. Raises UserError for a target that cannot be scaled so."""
    target, train, schema = data.contract.target, data.parts["train"], data.contract.schema
    if section.scale_target is ScaleTarget.log:
        lowest = min(part[target].min() for part in data.parts.values() if len(part))
        if lowest <= 0:
            raise UserError(
                f"data.scale_target=log: {section.path}, column {target!r}: {lowest:.6g} has no"
                " logarithm; leave log out of the search space"
            )
    features = list(schema.columns)
    of_folds = fit_fold_encodings(train, data.folds, schema, features, section)
    return replace(
        data,
        encoding=fit_encoding(train, schema, features, section),
        folds=replace(data.folds, encodings=of_folds),
    )
