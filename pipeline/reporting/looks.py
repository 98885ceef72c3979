"""How many results were evaluated on the same test rows, and what choosing among them costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite
from statistics import NormalDist, stdev


@dataclass(frozen=True)
class Looks:
    """The results that were evaluated on the same test rows.

    Attributes
    ----------
    errors
        The RMSE of each on these rows, in the order in which they were evaluated; NaN where it is
        not known.
    number
        Which of them this result is, from 1.
    store
        Where they are recorded.
    """

    errors: Sequence[float]
    number: int
    store: str

    @property
    def known(self) -> list[float]:
        """The errors that are known and finite."""
        return [error for error in self.errors if isfinite(error)]

    @property
    def is_lowest(self) -> bool:
        """Whether no other of them has a lower error than this result."""
        return self.errors[self.number - 1] <= min(self.known, default=inf)

    def selection_bias(self, standard_error: float) -> float | None:
        """By how much the lowest of the errors is too low if the results are equally good, as an
        upper bound; None for a single result.

        It is the expected maximum of as many independent normal numbers (Blom 1958, "Statistical
        estimates and transformed beta-variables"), times their standard deviation. That is the one
        of the errors, but not above the standard error: what is more are real differences.
        """
        count = len(self.errors)
        if count == 1:
            return None
        known = self.known
        spread = min(standard_error, stdev(known)) if len(known) > 1 else standard_error
        return spread * NormalDist().inv_cdf((count - 0.375) / (count + 0.25))
