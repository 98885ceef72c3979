"""Reading YAML: scalars as they are written, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.compose.yaml_text import read_yaml
from pipeline.runtime.errors import UserError


def read(content: str | bytes) -> Any:
    path = Path("file.yaml")
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_yaml(path, "file.yaml")


def mistake(content: str | bytes) -> str:
    with pytest.raises(UserError) as caught:
        read(content)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    "scalar",
    ["No", "yes", "off", "007", "1.10", "2016", "1:30", "2016-01-01", "0o17", "1e3", ".inf", "="],
)
def test_a_scalar_is_its_text(scalar: str) -> None:
    assert read(f"a: {scalar}\n{scalar}: [{scalar}]") == {"a": scalar, scalar: [scalar]}


@pytest.mark.parametrize("scalar", ["", "~", "null", "Null", "NULL"])
def test_only_an_unquoted_null_is_none(scalar: str) -> None:
    assert read(f"a: {scalar}\nb: '{scalar}'\nc: !!str {scalar}") == {
        "a": None,
        "b": scalar,
        "c": scalar,
    }


@pytest.mark.parametrize("content", ["", "# a comment", "---\n", "\n\n"])
def test_an_empty_file_has_no_content(content: str) -> None:
    assert read(content) is None


@pytest.mark.parametrize(
    "content", [b"\xef\xbb\xbfa: 1\n", b"a: 1\r\n", b"a: 1\r", b"--- \na: 1\n...\n"]
)
def test_files_of_other_editors_are_read(content: bytes) -> None:
    assert read(content) == {"a": "1"}


def test_anchors_and_merge_keys_are_what_they_stand_for() -> None:
    layers = "layers: [&one {units: 1, l1: 0}, *one, {<<: *one, units: 2}, {'<<': 3}]"
    assert read(layers)["layers"] == [
        {"units": "1", "l1": "0"},
        {"units": "1", "l1": "0"},
        {"units": "2", "l1": "0"},
        {"<<": "3"},
    ]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("a: 1\nb: 2\na: 3", "line 3: the key a is already in line 1"),
        ("a:\n\tb: 1", "line 2: is indented with a tab; use spaces"),
        ("a: @b", "line 1: not YAML: '@' cannot begin a value; put the value in quotes"),
        (
            "a: b: c",
            "line 1: not YAML: check the indentation, and put a text that contains ': ' in quotes",
        ),
        (r'a: "b\0"', "line 1: contains the character U+0000; remove it"),
        ("x: 1\na: 'b\n", "line 3: not YAML: the quote in line 2 is not closed"),
        (
            r'a: "C:\data"',
            "line 1: not YAML: a backslash in double quotes has a meaning; use single quotes",
        ),
        ("a: 1\n---\nb: 2", "line 2: a second document begins here; remove the line ---"),
        ("a: !!set {b}", "line 1: the tag !!set has no meaning here; remove it"),
        ("a: !b c", "line 1: the tag !b has no meaning here; remove it"),
        ("? [a]\n: b", "line 1: a key must be a text"),
        ("a: *b", "line 1: *b is used before its value, &b"),
        ("a: &b [*b]", "line 1: *b is used before its value, &b"),
        ("a: {<<: 3}", "line 1: << merges mappings, such as *NAME"),
        ("[" * 100_000, "line 1: is nested more than 50 levels deep"),
        (
            "a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\n"
            + "\n".join(
                f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]"
                for a, b in zip("abcdefgh", "bcdefghi", strict=True)
            ),
            "line 5: aliases such as *d repeat more than 10000 values",
        ),
        (
            "é: 1\na: \0",
            "line 2: contains the character U+0000, which YAML does not allow; remove it",
        ),
    ],
)
def test_what_is_refused_is_named_with_the_line_and_a_remedy(content: str, text: str) -> None:
    assert mistake(content) == f"file.yaml, {text}"


def test_other_mistakes_are_named_with_the_line() -> None:
    assert mistake("a: [\n").startswith("file.yaml, line 2: not YAML: ")


@pytest.mark.parametrize("content", ["ü: 1".encode("latin-1"), "a: 1".encode("utf-16")])
def test_another_encoding_than_utf_8_is_refused(content: bytes) -> None:
    assert mistake(content) == "file.yaml: is not encoded in UTF-8; save it in UTF-8"


def test_a_folder_is_refused() -> None:
    Path("folder").mkdir()
    with pytest.raises(UserError, match=r"^folder: Is a directory$"):
        read_yaml(Path("folder"), "folder")
