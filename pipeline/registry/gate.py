"""The thresholds that a model must pass, and by how much it fails them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.evaluation.comparison import IN_WORDS
from pipeline.evaluation.paired import Improvement
from pipeline.runtime.errors import UserError
from pipeline.runtime.paths import METRICS

CHAMPION = "champion"


@dataclass(frozen=True)
class Gate:
    """The section `registry`, without the thresholds that are null.

    Attributes
    ----------
    max, min
        Limits of metrics by name.
    improvement_over
        By baseline or CHAMPION: what the lower end of the improvement's interval must be above.
    """

    max: Mapping[str, float]
    min: Mapping[str, float]
    improvement_over: Mapping[str, float]

    def check_names(self, metrics: Mapping[str, float]) -> None:
        """Raises UserError for a threshold of a metric or a baseline that there is not."""
        for key, known in (("max", list(metrics)), ("min", list(metrics))):
            for name in getattr(self, key):
                if name not in known:
                    raise UserError(
                        f"registry.{key}: {METRICS} has no metric {name!r}; it has"
                        f" {', '.join(known)}"
                    )
        for name in self.improvement_over:
            if name not in (CHAMPION, *IN_WORDS):
                raise UserError(
                    f"registry.improvement_over: {name!r} is neither {CHAMPION} nor a baseline,"
                    f" which are {', '.join(IN_WORDS)}"
                )

    def failures(
        self, metrics: Mapping[str, float], improvements: Mapping[str, tuple[str, Improvement]]
    ) -> Iterator[str]:
        """A line for each threshold that is not passed: which it is, and by how much.

        Parameters
        ----------
        metrics
            Those of flat_metrics.
        improvements
            For each of improvement_over that there is: the part whose rows it is on, and the
            improvement of the RMSE.
        """
        for key, sign in (("max", 1), ("min", -1)):
            for name, limit in getattr(self, key).items():
                # Not `>`: a value that is no number passes no threshold.
                if not sign * metrics[name] <= sign * limit:
                    beyond = "above" if sign > 0 else "below"
                    yield (
                        f"{name} is {metrics[name]:.6g}, {abs(metrics[name] - limit):.3g} {beyond}"
                        f" registry.{key}.{name}={limit:g}"
                    )
        for name, (part, one) in improvements.items():
            threshold = self.improvement_over[name]
            if not one.low > threshold:
                yield (
                    f"{part}: {one.in_words(in_words(name))}; the lower end has"
                    f" to be {100 * (threshold - one.low):.3g} percentage points higher, above"
                    f" registry.improvement_over.{name}={threshold:g}"
                )


def in_words(name: str) -> str:
    """What a model is compared with, in a sentence."""
    return IN_WORDS.get(name, f"the {name}")


def flat_metrics(metrics: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The metrics of data/metrics.json as PART_METRIC."""
    return {
        f"{part}_{name}": value
        for part, values in metrics.items()
        for name, value in values.items()
    }
