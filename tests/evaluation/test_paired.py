"""Two models are compared on the same rows, with an interval that covers what it says."""

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.evaluation import resampling
from pipeline.evaluation.paired import Improvement, improvement

Draw = Callable[[np.random.Generator, int], np.ndarray]
DRAWS: dict[str, Draw] = {
    "normal": lambda random, rows: random.normal(size=rows),
    "heavy tails": lambda random, rows: random.standard_t(3, size=rows),
    "skewed": lambda random, rows: random.lognormal(size=rows) - np.exp(0.5),
}


def two(random: np.random.Generator, draw: Draw, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """The residuals of two models that are equally good: noise in common, and noise of each."""
    common = draw(random, rows)
    return common + 0.3 * draw(random, rows), common + 0.3 * draw(random, rows)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resampling, "RESAMPLES", 200)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("kind", DRAWS)
def test_the_interval_of_two_equal_models_contains_0_in_95_of_100_cases(kind: str) -> None:
    random = np.random.default_rng(5)
    inside = 0
    for _ in range(400):
        one, other = two(random, DRAWS[kind], 80)
        compared = improvement(one, other, one)
        inside += compared.low <= 0 <= compared.high
    assert 0.92 <= inside / 400 <= 0.98


@pytest.mark.usefixtures("few")
def test_the_best_of_many_equal_models_is_rarely_called_better() -> None:
    random = np.random.default_rng(5)
    better = {False: 0, True: 0}
    for _ in range(200):
        common = random.normal(size=100)
        models = [common + 0.3 * random.normal(size=100) for _ in range(16)]
        best = min(models, key=lambda one: float(one @ one))
        for corrected in better:
            compared = improvement(
                best, models[0], common, selected_from=models if corrected else ()
            )
            better[corrected] += compared.low > 0
    assert better[False] > 30
    assert better[True] <= 14


@pytest.mark.parametrize("squared", [True, False])
def test_the_estimate_is_that_of_the_errors(*, squared: bool) -> None:
    one, other = two(np.random.default_rng(0), DRAWS["normal"], 500)
    one = 0.9 * one
    if squared:
        expected = 1 - np.sqrt(np.square(one).mean() / np.square(other).mean())
    else:
        expected = 1 - np.abs(one).mean() / np.abs(other).mean()
    compared = improvement(one, other, other, squared=squared)
    assert compared.estimate == pytest.approx(expected)
    assert 0 < compared.low < expected < compared.high < 1
    back = improvement(other, one, other, squared=squared)
    assert back.high < 0
    assert (1 - back.low) * (1 - compared.high) == pytest.approx(1)


def test_many_rows_have_the_interval_that_their_number_promises() -> None:
    spreads = []
    for rows in (1500, 24_000):
        compared = improvement(*two(np.random.default_rng(1), DRAWS["normal"], rows), np.ones(rows))
        spreads.append(compared.high - compared.low)
    assert spreads[0] / spreads[1] == pytest.approx(4, rel=0.15)


def test_the_same_rows_give_the_same_interval() -> None:
    one, other = two(np.random.default_rng(2), DRAWS["normal"], 50)
    assert improvement(one, other, one) == improvement(one, other, one)


TRUE = np.array([1.0, 2.0, 4.0])
NONE, SOME = np.zeros(3), np.array([0.5, -0.5, 1.0])


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (SOME, SOME, 0.0),
        (NONE, SOME, 1.0),
        (NONE, 1e-12 * SOME, 0.0),
        (SOME, NONE, -np.inf),
        (SOME, SOME * np.inf, 1.0),
        (SOME * np.inf, SOME, -np.inf),
    ],
)
def test_models_without_an_error_or_without_a_bound(
    one: np.ndarray, other: np.ndarray, expected: float
) -> None:
    assert improvement(one, other, TRUE) == Improvement(*[expected] * 3)


def test_a_single_row_says_nothing() -> None:
    compared = improvement(SOME[:1], SOME[:1] * 2, TRUE[:1])
    assert (compared.low, compared.estimate, compared.high) == (-np.inf, 0.5, 1.0)


@pytest.mark.parametrize(
    ("compared", "words"),
    [
        (Improvement(0.04, 0.01, 0.066), "better than the line by 4.0 % (1.0 to 6.6 %)"),
        (Improvement(-0.04, -0.07, -0.01), "worse than the line by 4.0 % (1.0 to 7.0 %)"),
        (Improvement(0.01, -0.02, 0.03), "no better than the line (-2.0 to 3.0 %)"),
        (Improvement(0.0, 0.0, 0.0), "no better than the line (0.0 to 0.0 %)"),
        (
            Improvement(-375.8, -746.7, -188.9),
            "worse than the line: its error is 377 times as high (190 to 748)",
        ),
        (Improvement(-np.inf, -np.inf, -np.inf), "much worse than the line"),
    ],
)
def test_a_comparison_in_words(compared: Improvement, words: str) -> None:
    assert compared.in_words("the line") == words
    assert compared.in_words() == words.replace(" than the line", "")
