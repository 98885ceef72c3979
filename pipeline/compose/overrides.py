"""KEY=VALUE on the command line, in Hydra's grammar."""

import re
from typing import Any

from antlr4 import CommonTokenStream, InputStream
from hydra.core.override_parser.overrides_parser import create_functions
from hydra.core.override_parser.overrides_visitor import HydraErrorListener, HydraOverrideVisitor
from hydra.errors import HydraException
from hydra.grammar.gen.OverrideLexer import OverrideLexer
from hydra.grammar.gen.OverrideParser import OverrideParser

from pipeline.compose.explanation import not_an_override, removes, several_values
from pipeline.compose.sources import COMMAND_LINE
from pipeline.runtime.errors import UserError


class _Texts(HydraOverrideVisitor):
    """Leaves numbers, true and false as they are written: the schema knows their types."""

    def _createPrimitive(self, ctx: Any) -> Any:  # noqa: N802 - the name of Hydra's own method
        value = super()._createPrimitive(ctx)
        return ctx.getText().strip() if isinstance(value, bool | int | float) else value

    def visitDictKey(self, ctx: Any) -> Any:  # noqa: N802 - ANTLR's name
        key = self._createPrimitive(ctx)
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
    if override.is_delete():
        raise UserError(removes(text))
    if not override.key_or_group or override.package is not None:
        raise UserError(not_an_override(text))
    if override.is_sweep_override():
        raise UserError(several_values(text))
    return override.key_or_group, override.value()


def without_conf(override: str) -> str:
    """An override as Hydra expects it: a group is conf.model in params.yaml, model there."""
    return re.sub(r"^\+*conf\.", "", override)
