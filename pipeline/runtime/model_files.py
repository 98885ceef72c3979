"""What the columns of a table are: the contract between a table and whoever reads it.

In a conformed table a numeric or a boolean (0, 1) column is float64 with NaN for missing
values, a category is text (pandas' str, NaN), a date is datetime64[us] (NaT).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.runtime.errors import UserError


@contextmanager
def what_train_writes(path: Path) -> Iterator[None]:
    """A file of a model folder that is missing or damaged becomes a UserError."""
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(
            f"{path.parent}: holds no {path.name}; the train stage writes a model folder"
        ) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: is not what the train stage writes") from error
