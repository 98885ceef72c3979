"""Paths of what the stages read and write, relative to the root of the repository."""

from pathlib import Path

STAGES = ("configure", "prepare", "baselines", "train", "evaluate")
COMPOSED = Path("data/config.yaml")
RAW = Path("data/raw")
SCHEMAS = Path("data/schema")
PREPARED = Path("data/prepared")
BASELINES = Path("data/baselines/predictions.parquet")
MODEL = Path("data/model")
CHECKPOINTS = Path("data/.checkpoints")
EVALUATION = Path("data/evaluation")
# Names of files in data/prepared/, data/evaluation/ and in a model folder.
CONTRACT = "contract.json"
ENCODING = "encoding.json"
HISTORY = "history.csv"
FOLD_HISTORIES = "folds.csv"
FOLDS = "folds.json"
VERDICT = "verdict.txt"
INTERVALS = "intervals.json"
WARNINGS = "warnings.json"
METRICS = Path("data/metrics.json")
TRACKED = Path("data/tracked.json")
# It reports what the store has, so it is no part of a stage's output: .dvcignore leaves it out.
REPORT = EVALUATION / "report.html"


def intervals_path(folder: Path) -> Path:
    """The prediction intervals of the model in a folder: in it, as a logged model has them, or
    beside it, where evaluate writes them."""
    inside = folder / INTERVALS
    return inside if inside.is_file() else folder.parent / EVALUATION.name / INTERVALS


def stage_of(path: Path) -> str | None:
    """The stage that writes a file, or None for a file that is elsewhere."""
    written = {
        COMPOSED: "configure",
        PREPARED: "prepare",
        BASELINES.parent: "baselines",
        MODEL: "train",
        EVALUATION: "evaluate",
        METRICS: "evaluate",
    }
    return next((written[one] for one in (path, *path.parents) if one in written), None)
