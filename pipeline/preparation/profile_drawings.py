"""The drawings of a column: its distribution, and its relation to the target.

A drawing is what the template makes SVG of: lengths in pixels, paths, and a label with the
numbers for readers who do not see it.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.config.data import Kind
from pipeline.pages.page import number, shorten
from pipeline.preparation.profile import Values, Vector, rows_with_both

BINS = 24  # of a histogram
GROUPS = 12  # of rows, whose means of the target form the line of a scatter plot
MAX_CATEGORIES = 10  # that are drawn
MAX_POINTS = 10_000  # of a scatter plot, chosen evenly
WIDTH, HEIGHT, LINE = 176, 56, 16  # pixels of a drawing, and of a category's line in it
BAR, MEANS = 38, 118  # pixels of the longest bar, and of the scale of the means


@dataclass(frozen=True)
class Line:
    """A category: its name, its number as text, and its length or position in pixels."""

    name: str
    text: str
    pixels: float


@dataclass(frozen=True)
class Drawing:
    """kind names the template's macro: histogram, scatter, bars or means."""

    kind: str
    label: str
    height: int = HEIGHT
    lines: list[Line] = field(default_factory=list)  # of bars and means, from the top
    path: str = ""  # the bars of a histogram, or the line of a scatter plot
    dots: list[str] = field(default_factory=list)  # paths of a scatter plot, by rising density
    middle: float = 0.0  # the position of the mean of all, among means


@np.errstate(over="ignore", invalid="ignore")
def draw(values: Values, target: str, y: Vector | None) -> tuple[Drawing | None, Drawing | None]:
    """The distribution of a column, and its relation to a target y, (rows,), if there is one."""
    x = values.x[np.isfinite(values.x)]
    if not len(x):
        return None, None
    both = None if y is None else rows_with_both(values.x, y)
    if not len(values.names):
        return _histogram(values, x), _scatter(values, target, *both) if both else None
    counts = values.counts()
    drawn = np.argsort(-counts, kind="stable")[:MAX_CATEGORIES]
    bars = _bars(values, drawn, counts)
    return bars, _means(values, drawn, target, *both) if both else None


def _bars(values: Values, drawn: NDArray[np.intp], counts: NDArray[np.intp]) -> Drawing:
    shares = counts[drawn] / counts.sum()
    lines = [
        Line(shorten(str(values.names[code])), f"{100 * share:.1f} %", max(BAR * ratio, 1))
        for code, share, ratio in zip(drawn, shares, shares / shares[0], strict=True)
    ]
    words = ", ".join(f"{line.name} {line.text}" for line in lines)
    return Drawing("bars", f"most frequent: {words}", len(lines) * LINE, lines)


def _means(values: Values, drawn: NDArray[np.intp], target: str, x: Vector, y: Vector) -> Drawing:
    codes = x.astype(int)
    counts = np.bincount(codes, minlength=len(values.names))
    means = np.bincount(codes, y, len(values.names)) / np.maximum(counts, 1)
    across = _scaled(means, y, MEANS)
    lines = [
        # A category may have no row with a target.
        Line(shorten(str(values.names[code])), number(means[code]) * bool(counts[code]), pixels)
        for code, pixels in zip(drawn, across[drawn], strict=True)
    ]
    words = ", ".join(f"{line.name} {line.text}" for line in lines if line.text)
    label = f"means of {target}: {words}; of all {number(y.mean())}"
    middle = _scaled(np.array([y.mean()]), y, MEANS)[0]
    return Drawing("means", label, len(lines) * LINE, lines, middle=middle)


def _histogram(values: Values, x: Vector) -> Drawing:
    counts = _binned(x)
    step = WIDTH / len(counts)
    width = min(step - 1, 24)
    heights = np.where(counts, np.maximum(counts / counts.max() * (HEIGHT - 1), 1), 0)
    path = "".join(
        f"M{(index + 0.5) * step - width / 2:.1f} {HEIGHT}v{-height:.1f}h{width:.1f}V{HEIGHT}z"
        for index, height in enumerate(heights)
        if height
    )
    low, high = _text(values.kind, x.min()), _text(values.kind, x.max())
    words = " ".join(str(count) for count in counts)
    return Drawing("histogram", f"from {low} to {high}, values by bin: {words}", path=path)


def _binned(x: Vector) -> NDArray[np.intp]:
    low, span = x.min(), x.max() - x.min()
    if span == 0:
        return np.array([len(x)])
    if span < np.iinfo(np.int32).max and (x == np.floor(x)).all():
        # As many integers in each bin, or equal frequencies would look unequal.
        each = span // BINS + 1
        return np.bincount(((x - low) // each).astype(int))
    return np.bincount(np.minimum(_scaled(x, x, BINS), BINS - 1).astype(int))


def _scatter(values: Values, target: str, x: Vector, y: Vector) -> Drawing:
    rows = np.linspace(0, len(x) - 1, min(len(x), MAX_POINTS)).astype(int)
    x, y = x[rows], y[rows]
    # Points on a grid of two pixels, each drawn once, the darker the more rows it has.
    across = np.rint(_scaled(x, x, WIDTH / 2 - 2)).astype(int)
    down = np.rint(HEIGHT / 2 - 2 - _scaled(y, y, HEIGHT / 2 - 2)).astype(int)
    cells, counts = np.unique(across * HEIGHT + down, return_counts=True)
    shades = np.digitize(counts / counts.max(), [0.1, 0.4])
    dots = [_dots(cells[shades == shade]) for shade in range(3)]
    at, means = _group_means(x, y)
    ups = HEIGHT - 2 - _scaled(means, y, HEIGHT - 4)
    pairs = zip(_scaled(at, x, WIDTH - 4) + 2, ups, strict=True)
    path = "M" + "L".join(f"{left:.1f},{up:.1f}" for left, up in pairs)
    words = [
        f"{number(mean)} at {_text(values.kind, middle)}"
        for middle, mean in zip(at, means, strict=True)
    ]
    return Drawing("scatter", f"means of {target}: {', '.join(words)}", path=path, dots=dots)


def _dots(cells: NDArray[np.intp]) -> str:
    return "".join(f"M{2 * (cell // HEIGHT) + 2} {2 * (cell % HEIGHT) + 2}h0" for cell in cells)


def _group_means(x: Vector, y: Vector) -> tuple[Vector, Vector]:
    """The means of x and y in groups of ascending x and about equal size; equal x are in the
    same group."""
    levels = np.arange(1, GROUPS + 1) / GROUPS
    groups = np.searchsorted(np.unique(np.quantile(x, levels, method="inverted_cdf")), x)
    counts = np.bincount(groups)
    return np.bincount(groups, x) / counts, np.bincount(groups, y) / counts


def _scaled(values: Vector, over: Vector, size: float) -> Vector:
    """values on a scale from 0 at the minimum of over to size at its maximum."""
    unit = np.abs(over).max()  # else the difference of large numbers overflows
    low, high = over.min() / unit, over.max() / unit
    scaled: Vector = np.clip((values / unit - low) / (high - low) * size, 0, size)
    return scaled


def _text(kind: Kind, value: float) -> str:
    if kind is not Kind.date:
        return number(value)
    if 0 < value < 1:  # a time of day
        return str(np.datetime64(int(value * 1440), "m"))[-5:]
    return str(np.datetime64(int(value), "D"))
