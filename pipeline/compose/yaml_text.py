"""YAML as people write it: a scalar is its text, whatever YAML would make of it.

YAML reads No as false, 007 as 7, 1.10 as 1.1 and 1:30 as 90. The schema knows which values are
numbers, so that here only an unquoted null is not a text.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from yaml import events

from pipeline.runtime.errors import UserError

NULL = ("", "~", "null", "Null", "NULL")
# Tags that say no more than the schema does.
TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "map", "seq")}
MAX_DEPTH = 50
# A few nested aliases can stand for billions of values.
MAX_ALIASED_VALUES = 10_000
# The C parser is the faster one; not every build of PyYAML has it.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path: Path, name: str) -> Any:
    """The content of a file: mappings, lists, texts and None; None if it is empty.

    Raises UserError, with the name and the line, for a file that is not YAML and for what no
    experiment consists of: other tags, keys that are not texts, several documents.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{name}: is not encoded in UTF-8; save it in UTF-8") from error
    try:
        return _Reader(text).document()
    except yaml.reader.ReaderError as error:
        line = text.encode()[: error.position].count(b"\n") + 1
        raise UserError(
            f"{name}, line {line}: contains the character U+{error.character:04X}, which YAML"
            " does not allow; remove it"
        ) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{name}, line {line}: {_problem(error, text)}") from error


class _Refused(yaml.MarkedYAMLError):
    """For what is YAML, but not part of an experiment."""

    def __init__(self, problem: str, event: Any) -> None:
        super().__init__(problem=problem, problem_mark=event.start_mark)


class _Reader:
    """Builds values from the events of a document."""

    def __init__(self, text: str) -> None:
        # One after the other, because thousands of open brackets would take minutes.
        self.events: Iterator[Any] = iter(yaml.parse(text, Loader=_LOADER))
        self.anchors: dict[str, Any] = {}
        self.aliased = 0

    def document(self) -> Any:
        """The value of the only document."""
        _stream, start = next(self.events), next(self.events)
        if isinstance(start, events.StreamEndEvent):
            return None
        value = self.value(next(self.events))
        _end, second = next(self.events), next(self.events)
        if not isinstance(second, events.StreamEndEvent):
            raise _Refused("a second document begins here; remove the line ---", second)
        return value

    def value(self, event: Any, depth: int = 0) -> Any:
        """The value that begins with an event."""
        if depth > MAX_DEPTH:
            raise _Refused(f"is nested more than {MAX_DEPTH} levels deep", event)
        if isinstance(event, events.AliasEvent):
            return self._aliased(event)
        if event.tag and event.tag not in TAGS:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise _Refused(f"the tag {tag} has no meaning here; remove it", event)
        value: Any
        if isinstance(event, events.ScalarEvent):
            if "\0" in event.value:
                raise _Refused("contains the character U+0000; remove it", event)
            value = None if event.implicit[0] and event.value in NULL else event.value
        elif isinstance(event, events.SequenceStartEvent):
            value = list(self._items(depth + 1))
        else:
            value = self._mapping(depth + 1)
        if event.anchor:
            self.anchors[event.anchor] = value
        return value

    def _items(self, depth: int) -> Iterator[Any]:
        while not isinstance(event := next(self.events), events.SequenceEndEvent):
            yield self.value(event, depth)

    def _mapping(self, depth: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        lines: dict[str, int] = {}
        while not isinstance(event := next(self.events), events.MappingEndEvent):
            key = event.value if isinstance(event, events.ScalarEvent) else self.value(event, depth)
            if not isinstance(key, str):
                raise _Refused("a key must be a text", event)
            value = self.value(next(self.events), depth)
            if key == "<<" and event.implicit[0]:
                for one in reversed(value if isinstance(value, list) else [value]):
                    if not isinstance(one, dict):
                        raise _Refused("<< merges mappings, such as *NAME", event)
                    merged |= one
                continue
            if key in mapping:
                raise _Refused(f"the key {key} is already in line {lines[key]}", event)
            mapping[key] = value
            lines[key] = event.start_mark.line + 1
        return {**merged, **mapping}

    def _aliased(self, event: events.AliasEvent) -> Any:
        if event.anchor not in self.anchors:
            raise _Refused(f"*{event.anchor} is used before its value, &{event.anchor}", event)
        value = self.anchors[event.anchor]
        self.aliased += _size(value)
        if self.aliased > MAX_ALIASED_VALUES:
            problem = (
                f"aliases such as *{event.anchor} repeat more than {MAX_ALIASED_VALUES} values"
            )
            raise _Refused(problem, event)
        return value


def _size(value: Any) -> int:
    """The number of values in a value, itself included."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_size, inner))


# What PyYAML says about common mistakes, and what to do.
REMEDIES = {
    "unknown escape character": "a backslash in double quotes has a meaning; use single quotes",
    "mapping values are not allowed": "check the indentation, and put a text that contains ': '"
    " in quotes",
}


def _problem(error: yaml.MarkedYAMLError, text: str) -> str:
    """What is wrong, and what to do about it."""
    problem, mark = str(error.problem), error.problem_mark
    if isinstance(error, _Refused):
        return problem
    if mark and "cannot start any token" in problem:
        character = text.splitlines()[mark.line][mark.column]
        if character == "\t":
            return "is indented with a tab; use spaces"
        return f"not YAML: {character!r} cannot begin a value; put the value in quotes"
    if "unexpected end of stream" in problem and error.context_mark:
        return f"not YAML: the quote in line {error.context_mark.line + 1} is not closed"
    other = f"{problem}; check the indentation, brackets and quotes up to here"
    return (
        f"not YAML: {next((text for known, text in REMEDIES.items() if known in problem), other)}"
    )
