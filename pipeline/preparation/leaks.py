"""Leaks: rows, groups and columns that give the target away.

Leakage, and why to look for it in the data itself: Kaufman, Rosset, Perlich and Stitelman,
Leakage in Data Mining, ACM TKDD 6 (4), 2012.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config.data import Kind
from pipeline.preparation.findings import Finding
from pipeline.preparation.profile import pearson, rows_with_both
from pipeline.schema.location import Locate

Floats = NDArray[np.float64]
# Of a copy of the target: a number, by its correlation, or a category.
MIN_ROWS = 5
MIN_CORRELATION = 0.9999
MIN_CATEGORIES = 10  # a few categories may have one target each by chance
MIN_MEDIAN_ROWS = 2  # of a category: a single row has one target anyway
# Of a target that is computed from features.
MIN_TERMS = 2  # with one, it is a copy
SUM_ROWS = 20_000
MAX_UNEXPLAINED = 1e-8  # of the variance
MIN_COEFFICIENT = 1e-4  # standardised; a smaller one explains less than MAX_UNEXPLAINED
SHOWN_TERMS = 6
# Of one that is nearly a sum. A term contributes at least a thousandth of the variance.
MAX_UNEXPLAINED_BY_NEAR_SUM = 1e-3
MIN_SPREAD = 0.03
TOLERANCE = 0.15  # of a factor
# Where another part of the sum is missing, but is mostly constant.
MAX_UNEXPLAINED_BY_PARTS = 0.1
MIN_EXACT_ROWS = 0.5
MIN_TARGETS = 20  # different ones; few are often equal by chance
EXACT = 1e-6  # of the largest target
TRIMMING_STEPS = 10
FITTED_ROWS = 0.6


def shared_rows(
    parts: Mapping[str, pd.DataFrame], columns: list[str], locate: Locate
) -> Iterator[Finding]:
    """Rows that are equal in these columns and in different parts."""
    hashes = {
        part: pd.util.hash_pandas_object(rows[columns], index=False) for part, rows in parts.items()
    }
    shared = _in_several_parts(hashes)
    if shared.empty:
        return
    (row, part), (other, other_part) = _first_pair(shared)
    first, second = parts[part].loc[[row], columns], parts[other_part].loc[[other], columns]
    # Two different rows of a million have the same hash with a probability of 1 to 30 million.
    if first.reset_index(drop=True).equals(second.reset_index(drop=True)):
        pair = f"{locate(row)}, in {part} and {locate(other)}, in {other_part}"
        count = len(shared["key"].unique())
        more = f", and {count - 1} more such" if count > 1 else ""
        yield Finding("shared_rows", "", pair + more)


def shared_group(parts: Mapping[str, pd.DataFrame], group: str | None) -> Iterator[Finding]:
    """Groups that have rows in different parts."""
    if group is None:
        return
    groups = {part: rows[group].dropna() for part, rows in parts.items()}
    shared = _in_several_parts(groups)
    if shared.empty:
        return
    (_, part), (_, other_part) = _first_pair(shared)
    count, of = len(shared["key"].unique()), len(pd.concat(groups).unique())
    value = format_value(shared["key"].iloc[0])
    evidence = f"{count} of {of}, such as {value} in {part} and {other_part}"
    yield Finding("shared_group", group, evidence)


def format_value(value: object) -> str:
    """A cell for a message."""
    return f"{value:g}" if isinstance(value, float) else repr(str(value))


def _in_several_parts(keys: Mapping[str, pd.Series]) -> pd.DataFrame:
    """The keys that are in several parts: key, part and first row in each part."""
    firsts = [
        pd.DataFrame({"key": unique, "part": part, "row": unique.index})
        for part, unique in ((part, values.drop_duplicates()) for part, values in keys.items())
        if len(unique)
    ]
    if not firsts:
        return pd.DataFrame(columns=["key", "part", "row"])
    every = pd.concat(firsts, ignore_index=True)
    return every[every["key"].duplicated(keep=False)]


def _first_pair(shared: pd.DataFrame) -> list[tuple[int, str]]:
    pair = shared[shared["key"] == shared["key"].iloc[0]].iloc[:2]
    return [(int(row), str(part)) for row, part in zip(pair["row"], pair["part"], strict=True)]


def target_copy(column: pd.Series, kind: Kind, target: pd.Series) -> str:
    """The evidence that a column is a copy of the target, or ""."""
    if kind is Kind.category:
        return _category_copy(column, target)
    if kind is Kind.date:
        return ""
    both = rows_with_both(column.to_numpy("float64"), target.to_numpy("float64"))
    r = pearson(*both) if both and len(both[0]) >= MIN_ROWS else 0.0
    return f"r = {r:.5f}" if abs(r) >= MIN_CORRELATION else ""


def _category_copy(column: pd.Series, target: pd.Series) -> str:
    """Whether each category has one target that no other has, although most have several
    rows."""
    targets = target.groupby(column)
    sizes, low, high = targets.count(), targets.min(), targets.max()
    if len(sizes) < MIN_CATEGORIES or sizes.median() < MIN_MEDIAN_ROWS:
        return ""
    if (low != high).any() or low.duplicated().any():
        return ""
    return f"each of {len(sizes)} categories has a different target, in {sizes.sum()} rows"


def target_sum(features: Mapping[str, pd.Series], target: pd.Series) -> Iterator[Finding]:
    """Whether the target is a linear combination of numeric features, or nearly a sum of some,
    by least squares on complete rows."""
    columns = [column.to_numpy("float64") for column in features.values()]
    y = target.to_numpy("float64")
    rows = _complete_rows([*columns, y])
    if len(columns) < MIN_TERMS or len(rows) < 2 * (len(columns) + 1) or y[rows].std() == 0:
        return
    x, y = np.column_stack([column[rows] for column in columns]), y[rows]
    # A std may be rounded to more than 0, or to 0 if numbers are too small to be squared.
    varies = (np.ptp(x, axis=0) > 0) & (x.std(axis=0) > 0)
    stds = np.where(varies, x.std(axis=0), 1)
    inputs, outputs = (x - x.mean(axis=0)) / stds * varies, (y - y.mean()) / y.std()
    coefficients = _least_squares(inputs, outputs)
    unexplained = np.square(outputs - inputs @ coefficients).mean()
    names = list(features)
    if unexplained < MAX_UNEXPLAINED:
        factors = coefficients * y.std() / stds
        relevant = np.flatnonzero(np.abs(coefficients) > MIN_COEFFICIENT)
        terms = [(float(factors[index]), names[index]) for index in relevant]
        constant = float(y.mean() - x.mean(axis=0) @ factors)
        constant *= abs(constant) > MIN_COEFFICIENT * y.std()
        detail = tuple(name for _, name in terms)
        yield Finding("target_sum", "", f"= {_formula(terms, constant)}", detail)
        return
    if unexplained > MAX_UNEXPLAINED_BY_PARTS:
        return
    for estimate in coefficients, _of_most_rows(inputs, outputs, coefficients):
        factors = np.where(np.abs(estimate) > MIN_SPREAD, estimate * y.std() / stds, 0.0)
        for simple in _simple(factors):
            terms = [(float(simple[index]), names[index]) for index in np.flatnonzero(simple)]
            constant, evidence = _near_sum(y, x @ simple)
            if evidence and len(terms) >= MIN_TERMS:
                detail = tuple(name for _, name in terms)
                text = f"{_formula(terms, constant)} {evidence}"
                yield Finding("target_near_sum", "", text, detail)
                return


def _least_squares(x: Floats, y: Floats) -> Floats:
    return np.linalg.lstsq(x, y, rcond=1e-9)[0].astype(np.float64, copy=False)


def _of_most_rows(x: Floats, y: Floats, coefficients: Floats) -> Floats:
    """Coefficients by least squares on the rows that fit best, in a few steps: a sum of which
    another part is missing is exact where that part is constant.

    References
    ----------
    P. J. Rousseeuw and K. Van Driessen (2006), Computing LTS regression for large data sets.

    """
    x = np.column_stack([x, np.ones(len(x))])
    with_constant: Floats = np.append(coefficients, 0.0)
    for _ in range(TRIMMING_STEPS):
        errors = np.abs(y - x @ with_constant)
        best = errors <= np.quantile(errors, FITTED_ROWS)
        with_constant = _least_squares(x[best], y[best])
    return with_constant[:-1]


def _complete_rows(columns: Sequence[Floats]) -> NDArray[np.intp]:
    """The rows without a missing value, or a random sample of SUM_ROWS of them."""
    rows = np.flatnonzero(~np.any([np.isnan(column) for column in columns], axis=0))
    if len(rows) <= SUM_ROWS:
        return rows
    return np.random.default_rng(0).choice(rows, SUM_ROWS, replace=False)


def _simple(factors: Floats) -> Iterator[Floats]:
    """Factors as a person would write them, near those that were estimated, others 0: each 1 or
    -1; each also 2 or 1/2; or all of one size, as in a mean."""
    magnitudes = np.abs(factors)
    for tolerance, sizes in (2 * TOLERANCE, [1.0]), (TOLERANCE, [0.5, 1.0, 2.0]):
        nearest = np.array(sizes)[np.abs(magnitudes[:, None] / sizes - 1).argmin(axis=1)]
        close = np.abs(magnitudes / nearest - 1) <= tolerance
        yield np.where(close, np.sign(factors) * nearest, 0.0)
    used = magnitudes > 0
    if used.any():
        size = np.median(magnitudes[used])
        yield np.where(np.abs(magnitudes / size - 1) <= TOLERANCE, np.sign(factors) * size, 0.0)


def _near_sum(y: Floats, total: Floats) -> tuple[float, str]:
    """The constant that is missing from a sum, and the evidence that y is nearly their sum, or
    ""."""
    rest = y - total
    unexplained = float(rest.var() / y.var())
    if unexplained < MAX_UNEXPLAINED_BY_NEAR_SUM:
        return 0.0, f"explains all but {100 * unexplained:.1g} % of its variance"
    unit = EXACT * np.abs(y).max()
    rests, counts = np.unique(np.round(rest / unit), return_counts=True)
    exact = counts.max() / len(y)
    exact *= unexplained < MAX_UNEXPLAINED_BY_PARTS and len(np.unique(y)) >= MIN_TARGETS
    if exact < MIN_EXACT_ROWS:
        return 0.0, ""
    return float(rests[counts.argmax()] * unit), f"equals it in {100 * exact:.0f} % of rows"


def _formula(terms: list[tuple[float, str]], constant: float) -> str:
    signed = [f"{_signed(factor)} · {name}" for factor, name in terms[:SHOWN_TERMS]]
    if len(terms) > SHOWN_TERMS:
        signed.append(f"+ {len(terms) - SHOWN_TERMS} more terms")
    if constant:
        signed.append(_signed(constant))
    return " ".join(signed).removeprefix("+ ")


def _signed(value: float) -> str:
    return f"{'-' if value < 0 else '+'} {abs(value):.4g}"
