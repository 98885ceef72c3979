"""What the HTML pages share: how a template is filled, and numbers and long names as text."""

import functools
from pathlib import Path
from typing import Any

import jinja2

MAX_NAME = 60  # characters
SHARED = Path(__file__).parent / "templates"


def fill(template: Path, **content: Any) -> str:
    """The page of a template, which may extend base.html; the same for the same content. All of
    that is escaped."""
    return _environment(template.parent).get_template(template.name).render(content)


@functools.cache
def _environment(folder: Path) -> jinja2.Environment:
    """Kept, because a template is compiled when it is first asked for."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, SHARED]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"shorten": shorten, "number": number}
    return environment


def shorten(text: str) -> str:
    """The beginning of a long text."""
    return text if len(text) <= MAX_NAME else text[: MAX_NAME - 1] + "…"


def number(value: float) -> str:
    """Four significant digits, or an integer of up to ten: 12,345 and not 1.234e+04."""
    short = f"{value:.4g}"
    return f"{value:,.0f}" if "e+0" in short else short
