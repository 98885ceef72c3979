"""From a table to a tracked, reproducible Dense regression. In Python: `from pipeline import train,
load`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.api import load, train

__all__ = ["load", "train"]


def __getattr__(name: str) -> Any:
    # Importing one module of the package must not import the others.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pipeline import api

    return getattr(api, name)
