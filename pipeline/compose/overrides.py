"""KEY=VALUE on the command line, in Hydra's grammar."""

import re
from typing import Any

from hydra.core.override_parser.overrides_parser import create_functions
from hydra.core.override_parser.overrides_visitor import HydraErrorListener, HydraOverrideVisitor
from hydra.errors import HydraException

# Hydra takes ANTLR's streams from there too; ANTLR itself is not a dependency of this project.
from hydra.grammar.gen.OverrideLexer import (  # type: ignore[attr-defined] # not exported there
    CommonTokenStream,
    InputStream,
    OverrideLexer,
)
from hydra.grammar.gen.OverrideParser import OverrideParser

from pipeline.compose.explanation import not_an_override
from pipeline.compose.sources import COMMAND_LINE
from pipeline.runtime.errors import UserError


class _Texts(HydraOverrideVisitor):
    """Leaves numbers, true and false as they are written: the schema knows their types."""

    def visitPrimitive(self, ctx: Any) -> Any:  # noqa: N802 - ANTLR's name
        value = super().visitPrimitive(ctx)
        return ctx.getText().strip() if isinstance(value, bool | int | float) else value

    def visitDictKey(self, ctx: Any) -> Any:  # noqa: N802 - ANTLR's name
        key = self.visitPrimitive(ctx)
        return ctx.getText().strip() if key is None else key

    def visitFunction(self, ctx: Any) -> Any:  # noqa: N802 - ANTLR's name
        return HydraOverrideVisitor(self.functions).visitFunction(ctx)

    def visitDictContainer(self, ctx: Any) -> Any:  # noqa: N802 - ANTLR's name
        value = super().visitDictContainer(ctx)
        pairs = (ctx.getChildCount() - 1) // 2
        if len(value) < pairs:
            raise UserError(f"{COMMAND_LINE}: {ctx.getText()} has a key twice; keep one of them")
        return value


def read_override(text: str) -> tuple[str, Any]:
    """The key of an override and its value, in which all but null is text. A group may be
    written as conf.GROUP, and before a key DVC writes +.

    Raises UserError for what does not set one value.
    """
    lexer = OverrideLexer(InputStream(without_conf(text).lstrip("+")))
    parser: Any = OverrideParser(CommonTokenStream(lexer))
    for one in (lexer, parser):
        one.removeErrorListeners()
        one.addErrorListener(HydraErrorListener())
    try:
        override = _Texts(create_functions()).visit(parser.override())
    except HydraException as error:
        raise UserError(not_an_override(text)) from error
    shown = f"{COMMAND_LINE}: {text!r}"
    if override.is_delete():
        raise UserError(f"{shown} would remove a key, and each one is needed; set a value")
    if not override.key_or_group or override.package is not None:
        raise UserError(not_an_override(text))
    if override.is_sweep_override():
        raise UserError(
            f"{shown} has several values; a list is [1,2], a text with a comma '1,2' in quotes,"
            " and only a sweep varies a key"
        )
    return override.key_or_group, override.value()


def without_conf(override: str) -> str:
    """An override as Hydra expects it: a group is conf.model in params.yaml, model there."""
    return re.sub(r"^\+*conf\.", "", override)
