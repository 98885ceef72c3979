"""What is unusual about each row of a table."""

import numpy as np
import pandas as pd

from pipeline.config.data import Kind
from pipeline.schema.columns import Schema
from pipeline.schema.violations import FINDERS

IN_WORDS = {
    "missing_value": "is missing",
    "unseen_category": "has an unseen category",
    "out_of_range": "is out of range",
}


def flags(rows: pd.DataFrame, schema: Schema) -> "pd.Series[str]":
    """A text for each conformed row, empty for most: the columns whose value the schema does not
    expect, whatever the policies are, and those whose missing value is imputed."""
    texts = np.full(len(rows), "", object)
    for name, column in schema.columns.items():
        found = {
            words: one[0]
            for kind, words in IN_WORDS.items()
            if (one := FINDERS[kind](rows[name], column)) is not None
        }
        if column.kind is not Kind.category:  # of those, a missing value is one like others
            found.pop(IN_WORDS["missing_value"], None)
            found["is imputed"] = rows[name].isna().to_numpy()
        for words, which in found.items():
            texts[which] += f"; {name} {words}"
    return pd.Series(texts, rows.index, dtype="str").str.removeprefix("; ")
