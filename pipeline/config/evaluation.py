"""The section `evaluation`."""

from dataclasses import dataclass

from pipeline.config.section import bounded


@dataclass
class Evaluation:
    """How the saved model is evaluated."""

    coverage: float = bounded(0.9, above=0, below=1)
