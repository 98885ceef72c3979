"""A profile of a table: what to see of the data before trusting a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config.data import Kind
from pipeline.schema.columns import Schema

FIELDS = [
    *("column", "kind", "values", "missing", "missing_percent", "distinct"),
    *("least", "lower_quartile", "median", "upper_quartile", "most", "mean", "deviation"),
    *("commonest", "commonest_percent", "correlation"),
]
NUMBERS = FIELDS[6:13]
BINS = 24  # of a histogram
GROUPS = 12  # of rows, whose means of the target are joined to a line
SHOWN = 10  # categories with a bar
LONGEST = 60  # characters of a name
SAMPLE = 10_000  # rows of a scatter
DRAWN = 200  # columns with drawings, each of which may take 20 kB
WIDTH, HEIGHT, LINE = 176, 56, 16  # pixels of a drawing, and of a category's line in it
DAY = 86_400e6  # microseconds
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class _Data:
    """A column as numbers, NaN where a value is missing: of dates the days since 1970, of
    categories and booleans the places of their values in names."""

    kind: Kind
    x: Vector
    names: "pd.Index[str]"

    def text(self, value: float) -> str:
        return str(np.datetime64(int(value), "D")) if self.kind is Kind.date else _number(value)


@np.errstate(over="ignore", invalid="ignore")
def profile(table: pd.DataFrame, schema: Schema, target: str) -> pd.DataFrame:
    """One row for each column of a conformed table, in its order; NaN or None where a figure
    does not apply or is undefined.

    commonest and its percentage (of the values that are not missing) are of categories and
    booleans, quartiles, mean and deviation (of the population) of numbers, least and most of
    numbers and, as ISO texts, of dates. correlation is that with the target, over the rows
    that have both: of numbers and booleans Pearson's r, of categories the correlation ratio
    (K. Pearson, 1905, On the general theory of skew correlation and non-linear regression)

        eta = sqrt(sum_c n_c (mean_c - mean)^2 / sum_i (y_i - mean)^2),

    where n_c rows of category c have the mean mean_c. The target itself and dates have none.

    Raises KeyError for a target that the table, or a column that the schema lacks.
    """
    y = _read(table[target], schema.columns[target].kind).x
    rows = []
    for name, column in table.items():
        data = _read(column, schema.columns[str(name)].kind)
        missing = int(column.isna().sum())
        counts = {
            "values": len(column) - missing,
            "missing": missing,
            "missing_percent": 100 * missing / len(column) if missing else 0.0,
        }
        relation = {"correlation": None if name == target else _correlation(data, y)}
        named = {"column": name, "kind": data.kind.value}
        rows.append(named | counts | _figures(data, column) | relation)
    return pd.DataFrame(rows, columns=FIELDS)


def _read(column: "pd.Series[Any]", kind: Kind) -> _Data:
    if kind is Kind.category:
        codes, names = pd.factorize(column)
        return _Data(kind, np.where(codes < 0, np.nan, codes), names)
    if kind is Kind.date:
        microseconds = column.to_numpy("datetime64[us]")
        days = np.where(np.isnat(microseconds), np.nan, microseconds.astype(np.int64) / DAY)
        return _Data(kind, days, pd.Index([], dtype="str"))
    words = ["false", "true"] if kind is Kind.boolean else []
    return _Data(kind, column.to_numpy(np.float64), pd.Index(words, dtype="str"))


def _figures(data: _Data, column: "pd.Series[Any]") -> dict[str, Any]:
    x = data.x[np.isfinite(data.x)]
    if not len(x):
        return {"distinct": 0}
    if len(data.names):
        counts = _counts(data)
        first = int(counts.argmax())
        percent = 100 * float(counts[first]) / len(x)
        figures = {"commonest": str(data.names[first]), "commonest_percent": percent}
        return {"distinct": int(np.count_nonzero(counts)), **figures}
    distinct = len(np.unique(x))
    if data.kind is Kind.date:
        ends = {"least": _iso(column.min()), "most": _iso(column.max())}
        return {"distinct": distinct, **ends}
    five = np.quantile(x, [0, 0.25, 0.5, 0.75, 1])
    numbers = [float(value) for value in (*five, x.mean(), x.std())]
    return {"distinct": distinct, **dict(zip(NUMBERS, numbers, strict=True))}


def _counts(data: _Data) -> NDArray[np.intp]:
    return np.bincount(data.x[~np.isnan(data.x)].astype(int), minlength=len(data.names))


def _iso(moment: pd.Timestamp) -> str:
    return moment.isoformat().removesuffix("T00:00:00")


def _both(x: Vector, y: Vector) -> tuple[Vector, Vector] | None:
    """The rows that have both, unless one of the two is the same in all of them."""
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    return (x, y) if len(x) and x.min() < x.max() and y.min() < y.max() else None


def _correlation(data: _Data, y: Vector) -> float | None:
    both = None if data.kind is Kind.date else _both(data.x, y)
    if both is None:
        return None
    x, y = both[0], _centred(both[1])
    if data.kind is Kind.category:
        codes = x.astype(int)
        sums, counts = np.bincount(codes, y), np.bincount(codes)
        ratio = (sums**2 / np.maximum(counts, 1)).sum() / (y * y).sum()
        return float(min(np.sqrt(ratio), 1.0))
    x = _centred(x)
    return float(np.clip((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()), -1, 1))


def _centred(values: Vector) -> Vector:
    centred = values - values.mean()
    scaled: Vector = centred / np.abs(centred).max()  # else squares of large numbers overflow
    return scaled


@np.errstate(over="ignore", invalid="ignore")
def page(
    title: str,
    parts: Mapping[str, pd.DataFrame],
    schema: Schema,
    *,
    target: str,
    done: Mapping[str, str],
    warnings: Sequence[str],
    profiled: pd.DataFrame | None = None,
) -> str:
    """A self-contained HTML page, the same for the same input.

    Figures and drawings are of the first part, the training part; of the other parts, which
    may be empty or lack columns, only rows and missing values are counted. done says of a
    column what was made of it; those that the training part lacks are listed below the
    others. Columns after the first DRAWN have no drawings. profiled is what profile gives,
    where that is at hand.

    Raises KeyError as profile does, and ValueError where there is no part.
    """
    if not parts:
        raise ValueError("parts: has no part; the first should be the training part")
    part, train = next(iter(parts.items()))
    y = _read(train[target], schema.columns[target].kind).x
    rows: list[str] = []
    if profiled is None:
        profiled = profile(train, schema, target)
    for row in profiled.to_dict("records"):
        name = str(row["column"])
        drawings = ("", "")
        if len(rows) < DRAWN:
            drawings = _drawings(name, _read(train[name], schema.columns[name].kind), target, y)
        rows.append(_row(row, _missing(name, parts), drawings, done.get(name, "")))
    heads = "".join(f'<th scope="col">{head}</th>' for head in HEADS)
    counts = "".join(
        f"<li><b>{len(table):,}</b> {_plural(len(table), 'row')} in {_name(key)}</li>"
        for key, table in parts.items()
    )
    found = "".join(f"<li>{escape(line)}</li>" for line in warnings) or "<li>None.</li>"
    aside = [_name(name) for name in done if name not in train]
    unused = f"<p>Not used: {', '.join(aside)}.</p>" if aside else ""
    limit = f" Only the first {DRAWN} columns have drawings." if len(rows) > DRAWN else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<ul class="parts">{counts}</ul>
<h2>Findings</h2>
<ul>{found}</ul>
<h2>{len(rows)} {_plural(len(rows), "column")}</h2>
<p>All figures and drawings are of <b>{_name(part)}</b>; missing values are counted in every part.
{LEGEND.format(target=_name(target))}{limit}</p>
<div class="scroll" role="region" aria-label="Columns" tabindex="0">
<table>
<thead><tr>{heads}</tr></thead>
<tbody>
{"".join(rows)}</tbody>
</table>
</div>
{unused}
</body>
</html>
"""


def _row(row: dict[Any, Any], missing: str, drawings: tuple[str, str], done: str) -> str:
    kind, correlation = row["kind"], row["correlation"]
    if pd.notna(row["mean"]):
        values = "".join(f'<td class="number">{_number(row[field])}</td>' for field in NUMBERS)
    else:
        text = ""
        if pd.notna(row["commonest"]):
            text = f"commonest {_name(row['commonest'])}, {row['commonest_percent']:.1f} %"
        elif pd.notna(row["least"]):
            text = f"{row['least']} to {row['most']}"
        values = f'<td colspan="{len(NUMBERS)}">{text}</td>'
    symbol = "&eta;" if kind == Kind.category.value else "r"
    relation = f"<i>{symbol}</i> {round(correlation, 2) + 0.0:.2f}" if pd.notna(correlation) else ""
    return (
        f'<tr><th scope="row">{_name(row["column"])}<small>{kind}</small></th>'
        f'<td class="number">{missing}</td><td class="number">{row["distinct"]:,}</td>{values}'
        f'<td>{drawings[0]}</td><td class="number">{relation}</td><td>{drawings[1]}</td>'
        f"<td>{escape(done)}</td></tr>\n"
    )


def _missing(name: str, parts: Mapping[str, pd.DataFrame]) -> str:
    lines = []
    for part, table in parts.items():
        count = int(table[name].isna().sum()) if name in table else 0
        if count:
            percent = f"{100 * count / len(table):.1f} %"
            lines.append(f"<div>{count:,} in {_name(part)}<small>{percent}</small></div>")
    return "".join(lines) or "0"


def _drawings(name: str, data: _Data, target: str, y: Vector) -> tuple[str, str]:
    """The column's distribution, and its relation to the target."""
    x = data.x[np.isfinite(data.x)]
    if not len(x):
        return "", ""
    both = None if name == target else _both(data.x, y)
    if len(data.names):
        shown = np.argsort(-_counts(data), kind="stable")[: min(SHOWN, len(data.names))]
        return _bars(data, shown), _means(data, shown, target, *both) if both else ""
    return _histogram(data, x), _scatter(data, target, *both) if both else ""


def _bars(data: _Data, shown: NDArray[np.intp]) -> str:
    shares = _counts(data)[shown] / _counts(data).sum()
    lines, words = [], []
    for place, (name, share) in enumerate(zip(_names(data, shown), shares, strict=True)):
        bar = f'<rect class="bar" x="92" y="3" width="{max(38 * share / shares[0], 1):.1f}"'
        text = f'<text x="{WIDTH}" y="12" text-anchor="end">{100 * share:.1f} %</text>'
        # An inner svg cuts off what is too wide, in any script.
        label = f'<svg width="88" height="{LINE}"><text y="12">{escape(name)}</text></svg>'
        lines.append(f'<g transform="translate(0 {place * LINE})">{label}{bar} height="10"/>{text}')
        words.append(f"{name} {100 * share:.1f} %")
    return _svg("commonest: " + ", ".join(words), "</g>".join(lines) + "</g>", len(lines) * LINE)


def _means(data: _Data, shown: NDArray[np.intp], target: str, x: Vector, y: Vector) -> str:
    codes = x.astype(int)
    counts = np.bincount(codes, minlength=len(data.names))
    means = np.bincount(codes, y, len(data.names)) / np.maximum(counts, 1)
    middle = _scaled(np.array([y.mean()]), y, 118)[0] + 4
    lines, words = [f'<path class="axis" d="M{middle:.1f} 0V{len(shown) * LINE}"/>'], []
    across = _scaled(means[shown], y, 118) + 4
    for place, name in enumerate(_names(data, shown)):
        if counts[shown[place]]:
            mean, down = _number(means[shown[place]]), place * LINE
            lines.append(f'<circle class="mark" cx="{across[place]:.1f}" cy="{down + 8}" r="3"/>')
            lines.append(f'<text x="{WIDTH}" y="{down + 12}" text-anchor="end">{mean}</text>')
            words.append(f"{name} {mean}")
    label = f"means of {target}: {', '.join(words)}; of all {_number(y.mean())}"
    return _svg(label, "".join(lines), len(shown) * LINE)


def _histogram(data: _Data, x: Vector) -> str:
    counts = _binned(x)
    step = WIDTH / len(counts)
    width = min(step - 1, 24)
    heights = np.where(counts, np.maximum(counts / counts.max() * (HEIGHT - 1), 1), 0)
    bars = "".join(
        f"M{(place + 0.5) * step - width / 2:.1f} {HEIGHT}v{-height:.1f}h{width:.1f}V{HEIGHT}z"
        for place, height in enumerate(heights)
        if height
    )
    rows = " ".join(str(count) for count in counts)
    label = f"from {data.text(x.min())} to {data.text(x.max())}, values by bin: {rows}"
    axis = f'<path class="axis" d="M0 {HEIGHT - 0.5}H{WIDTH}"/>'
    return _svg(label, f'{axis}<path class="bar" d="{bars}"/>')


def _binned(x: Vector) -> NDArray[np.intp]:
    least, span = x.min(), x.max() - x.min()
    if span == 0:
        return np.array([len(x)])
    if span < np.iinfo(np.int32).max and (x == np.floor(x)).all():
        # The same number of whole numbers in each bin, else equal values look uneven.
        each = span // BINS + 1
        return np.bincount(((x - least) // each).astype(int))
    return np.bincount(np.minimum(_scaled(x, x, BINS), BINS - 1).astype(int))


def _scatter(data: _Data, target: str, x: Vector, y: Vector) -> str:
    rows = np.linspace(0, len(x) - 1, min(len(x), SAMPLE)).astype(int)
    x, y = x[rows], y[rows]
    # Points on a grid of two pixels, each drawn once, the darker the more there are.
    across = np.rint(_scaled(x, x, WIDTH / 2 - 2)).astype(int)
    down = np.rint(HEIGHT / 2 - 2 - _scaled(y, y, HEIGHT / 2 - 2)).astype(int)
    cells, counts = np.unique(across * HEIGHT + down, return_counts=True)
    shades = np.digitize(counts / counts.max(), [0.1, 0.4])
    dots = "".join(
        f'<path class="dots s{shade}" d="{_dots(cells[shades == shade])}"/>' for shade in range(3)
    )
    at, means = _grouped(x, y)
    ups = HEIGHT - 2 - _scaled(means, y, HEIGHT - 4)
    pairs = zip(_scaled(at, x, WIDTH - 4) + 2, ups, strict=True)
    points = " ".join(f"{left:.1f},{up:.1f}" for left, up in pairs)
    words = [f"{_number(m)} at {data.text(a)}" for a, m in zip(at, means, strict=True)]
    label = f"means of {target}: {', '.join(words)}"
    return _svg(label, f'{dots}<polyline class="line" points="{points}"/>')


def _dots(cells: NDArray[np.intp]) -> str:
    return "".join(f"M{2 * (cell // HEIGHT) + 2} {2 * (cell % HEIGHT) + 2}h0" for cell in cells)


def _grouped(x: Vector, y: Vector) -> tuple[Vector, Vector]:
    """The means of x and of y in groups of rising x and nearly equal size; equal x are in
    the same group."""
    levels = np.arange(1, GROUPS + 1) / GROUPS
    groups = np.searchsorted(np.unique(np.quantile(x, levels, method="inverted_cdf")), x)
    counts = np.bincount(groups)
    return np.bincount(groups, x) / counts, np.bincount(groups, y) / counts


def _scaled(values: Vector, over: Vector, size: float) -> Vector:
    """values on a scale from 0, the least of over, to size, its most, which differ."""
    unit = np.abs(over).max()  # else the difference of large numbers overflows
    least, most = over.min() / unit, over.max() / unit
    scaled: Vector = np.clip((values / unit - least) / (most - least) * size, 0, size)
    return scaled


def _svg(label: str, inner: str, height: int = HEIGHT) -> str:
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    return f'<svg role="img" aria-label="{escape(label)}" {size}>{inner}</svg>'


def _names(data: _Data, shown: NDArray[np.intp]) -> list[str]:
    return [_short(str(data.names[code])) for code in shown]


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _name(text: str) -> str:
    # bdi: a name in a script from right to left leaves the words around it in place.
    return f"<bdi>{escape(_short(text))}</bdi>"


def _number(value: float) -> str:
    short = f"{value:.4g}"
    return f"{value:,.0f}" if "e+0" in short else short  # 12,345 and not 1.234e+04


def _plural(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"


HEADS = [
    *("Column", "Missing", "Distinct", "Least", "Lower quartile", "Median", "Upper quartile"),
    *("Most", "Mean", "Deviation", "Distribution", "Correlation", "Relation to the target"),
    "What was made of it",
]
LEGEND = """<i>r</i> is Pearson's correlation with the target {target}, <i>&eta;</i> the correlation
ratio, from 0 to 1: how far a category tells the target, and near 1 for any column in which
hardly a value stands twice. Lines and marks are means of the target, from its least value at
the bottom or left to its most."""
STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --soft: #656d76; --rule: #d8dee4;
  --paper: #fff; --bar: #7d9cc0; --line: #b3541e; }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #dfe3e8; --soft: #929aa4;
  --rule: #343b44; --paper: #14181d; --bar: #54779f; --line: #ee9a5d; } }
body { margin: 1.5rem; color: var(--ink); background: var(--paper);
  font: 14px/1.45 system-ui, sans-serif; font-variant-numeric: tabular-nums; }
h1 { font-size: 1.6rem; font-weight: 600; margin: 0 0 .5rem; }
h2 { font-size: 1.05rem; font-weight: 600; margin: 1.75rem 0 .4rem; }
h1, li, td, th { overflow-wrap: anywhere; }
p, ul { max-width: 48rem; margin: 0 0 .75rem; }
ul { padding-left: 1.2rem; }
ul.parts { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; padding: 0; list-style: none; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; min-width: 76rem; font-size: 13px; }
th, td { padding: .6rem .6rem .6rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--rule); }
thead th { font-size: 12px; font-weight: 500; color: var(--soft); vertical-align: bottom;
  overflow-wrap: normal; }
tbody th { font-weight: 600; min-width: 6.5rem; max-width: 12rem; }
thead th:nth-child(n+2):nth-child(-n+10), th:nth-child(12), td.number { text-align: right; }
td.number { white-space: nowrap; }
td:last-child { min-width: 8rem; }
small { display: block; font-size: 12px; font-weight: 400; color: var(--soft); }
svg { display: block; font-size: 11px; fill: var(--soft); }
.bar { fill: var(--bar); }
.axis { stroke: var(--rule); fill: none; }
.line { stroke: var(--line); stroke-width: 1.5; stroke-linejoin: round; fill: none; }
.mark { fill: var(--line); }
.dots { stroke: var(--bar); stroke-width: 2; stroke-linecap: round; }
.s0 { opacity: .35; } .s1 { opacity: .65; }
@media (max-width: 40rem) { body { margin: 1rem; }
  tbody th { position: sticky; left: 0; max-width: 7rem; background: var(--paper); } }
@media print { @page { size: landscape; margin: 1cm; } body { margin: 0; zoom: .75; }
  .scroll { overflow: visible; } tr { break-inside: avoid; }
  svg { print-color-adjust: exact; } }
"""
