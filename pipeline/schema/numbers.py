"""Numbers as people write them: their marks, units and signs, found in a column and read by it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

POINT, COMMA = ".", ","
LAKH = "lakh"  # Commas before the last three digits and between pairs, as in 12,34,567.
OTHER = {POINT: COMMA, COMMA: POINT}
SAMPLE = 1000  # cells, to see whether a column has numbers
# The share of numbers above which a column of text is one of numbers; from which it is one if
# they have a word as their unit, or a comma where the file has decimal points.
MIN_NUMBERS, MIN_UNUSUAL = 0.5, 0.9
# The share of integers with leading zeros from which all of them are codes.
MIN_CODES = 0.1
MIN_OTHERS = 2  # numbers beside blank cells
MIN_DIFFERENT = 10  # fewer numbers may be levels
# float64 represents every integer up to here, and any 15 digits.
MAX_EXACT_INTEGER, EXACT_DIGITS = 2**53, 15
CODES = (
    "AUD|BRL|CAD|CHF|CNY|CZK|DKK|EUR|GBP|HKD|HUF|IDR|ILS|INR|JPY|KRW|MXN|MYR|NOK|NZD|PHP|PLN|RON"
    "|RUB|SEK|SGD|THB|TRY|TWD|UAH|USD|ZAR"
)
CURRENCY = rf"(?:[A-Z]{{0,3}}\p{{Sc}}|Rs\.?|kr\.?|Fr\.?|{CODES})"
# Its first character is no fraction, such as ½.
UNIT = r"[^0-9\x{bc}-\x{be}\x{2150}-\x{215f}\s.,:;'()+*/<>=~?!#_-][^0-9()]{0,14}"
# A number in any notation.
NUMBER = (
    r"(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+|[1-9][0-9]{0,2}(?:[.,' ][0-9]{3})+(?:[.,][0-9]*)?"
    r"|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}(?:\.[0-9]*)?|(?i:inf(?:inity)?))"
)
CELL = rf"^(?P<sign>[+-]?) ?(?P<number>{NUMBER})(?P<power>[eEdD][+-]?[0-9]+)? ?(?P<unit>{UNIT})?$"
# Other ways to write the same. Arabic has its own marks, and full-width signs are beside Chinese
# and Japanese text.
OTHER_DIGIT = r"[^\P{Nd}0-9]"
SAME_SIGNS = (
    ("[\u2212\ufe63\uff0d\u2013]", "-"),
    ("[\u2019\u02bc\u066c]", "'"),
    (r"[^\P{Zs} ]", " "),
    ("[\u066b\uff0e]", "."),
    ("\uff0c", ","),
    ("[\u066a\uff05]", "%"),
)
OTHER_SIGNS = "|".join((OTHER_DIGIT, *(pattern for pattern, _ in SAME_SIGNS)))
# With a part without which none of them is there: ="29" is how Excel keeps text; (5) and 5- are
# negative; a currency may be in front.
SAME = (
    ('="', r'^="(.*)"$', r"\1"),
    ("(", rf"^({CURRENCY}?) ?\(([^()+-]*)\)$", r"-\1\2"),
    ("-", rf"^([^+-]*[0-9.,])-( ?(?:{CURRENCY}|%|‰)?)$", r"-\1\2"),
    ("", rf"^([+-]?) ?({CURRENCY}) ?([+-]?.*[0-9.,])$", r"\1\3 \2"),
)
# Numbers in thousands, millions and billions.
SUFFIXES = (("[kK]", "e3"), ("M", "e6"), ("B", "e9"))
SUFFIXED = r"[0-9.,]\p{Zs}?(?P<suffix>[kKMB])(?:[^\pL].*)?$"
KNOWN_UNIT = rf"^(?:{CURRENCY}|%|‰)?$"
SIGN, POWER = "^[+-]?", r"(?:[eEdD][+-]?[0-9]+)?$"
# A number with one mark, and where that mark could also be between thousands.
DECIMAL = f"{SIGN}(?:[0-9]+MARK[0-9]*|MARK[0-9]+){POWER}"
EITHER = f"{SIGN}[1-9][0-9]{{0,2}}MARK[0-9]{{3}}$"
PROVEN = (
    f"{DECIMAL}|{SIGN}[1-9][0-9]{{0,2}}"
    "(?:(?:[OTHER' ][0-9]{3})+MARK[0-9]*|(?:OTHER[0-9]{3}){2,})$"
)
PLAIN = f"{SIGN}[0-9.,' ]+$"
LAKHS = f"{SIGN}[1-9][0-9]?(?:,[0-9]{{2}})+,[0-9]{{3}}"
LONG = f"{SIGN}[1-9][0-9]{{16,}}$"
# What stands for a missing value among numbers, or for a bound.
BLANK = (
    r"(?i)^(?:[<>≤≥~≈]=? ?[0-9].*|[^\p{L}\p{N}]+|#?n[./]?\s?[abdv]\.?|k\.?\s?a\.?|none|null|nil|nan"
    r"|missing|unknown|not available|no data|tb[ad]|unbekannt|fehlt|leer|#value!|#div/0!|#ref!)$"
)
# Of four or six digits, times of day.
CLOCK = r"^(?:[01][0-9]|2[0-4])[0-5][0-9](?:[0-5][0-9])?$"


@dataclass(frozen=True)
class Notation:
    """How the numbers of a column are written.

    Attributes
    ----------
    decimal
        The decimal mark.
    thousands
        The mark between groups of three digits, if they may be grouped. An apostrophe and a space
        stand for all of their kind, and LAKH for commas in Indian groups.
    unit
        What is before or behind each number, such as "%" or "EUR".
    suffixes
        Whether k, M and B behind a number stand for thousands, millions and billions.

    """

    decimal: str = POINT
    thousands: str | None = None
    unit: str | None = None
    suffixes: bool = False

    def __str__(self) -> str:
        words = [f"the decimal mark {self.decimal!r}"] if self.decimal != POINT else []
        groups = "lakhs" if self.thousands == LAKH else "three digits"
        words += [f"{self.mark!r} between groups of {groups}"] if self.mark else []
        words += [f"the unit {self.unit!r}"] if self.unit else []
        words += ["the suffixes k, M and B"] if self.suffixes else []
        return " and ".join(words)

    @property
    def mark(self) -> str | None:
        """The character between groups of digits."""
        return COMMA if self.thousands == LAKH else self.thousands


@dataclass(frozen=True)
class Marks:
    """The marks in the numbers of a file.

    Attributes
    ----------
    decimal, thousands
        As of a Notation.
    given
        Whether they are set, so that no column may have others.
    proven
        Whether some number can be read with this decimal mark only, and none only with another:
        then this mark decides what 1.234 is.
    delimiter
        Of a CSV file, between its cells.

    """

    decimal: str = POINT
    thousands: str | None = None
    given: bool = False
    proven: bool = True
    delimiter: str | None = None

    @property
    def notation(self) -> Notation:
        """That of a column without other marks: beside decimal commas, a point groups."""
        return notation(self.decimal, self.thousands)


UNDECIDED = Marks(proven=False)


@dataclass(frozen=True)
class Evidence:
    """What so many numbers say about their marks, by mark: how many have it where it can only be
    the decimal mark, and how many where it could also group thousands. short and long: whether
    there are integers of one to three digits, as beside grouped ones, and longer ones."""

    count: int
    proven: dict[str, int]
    either: dict[str, int]
    short: bool
    long: bool

    @property
    def decimal(self) -> str | None:
        """The decimal mark that more numbers prove than prove the other."""
        point, comma = self.proven[POINT], self.proven[COMMA]
        return None if point == comma else POINT if point > comma else COMMA


class Cells(NamedTuple):
    """The numbers in cells, with sign and exponent, and their units, as Arrow arrays (rows,); null
    where a cell is no number."""

    number: Any
    unit: Any


class UndecidedError(Exception):
    """It is undecided what the mark is in a number, in the cell at a position, not counting missing
    cells."""

    def __init__(self, position: int, number: str) -> None:
        super().__init__(position)
        self.position, self.number = position, number


def notation(
    decimal: str | None,
    thousands: str | None = None,
    unit: str | None = None,
    *,
    suffixes: bool = False,
) -> Notation:
    """A notation; where the comma is the decimal mark, a point groups thousands by default."""
    decimal = decimal or POINT
    if thousands and thousands not in (*OTHER, LAKH):
        thousands = " " if thousands.isspace() else "'"
    thousands = thousands or (POINT if decimal == COMMA else None)
    return Notation(decimal, thousands, unit, suffixes)


def parse(texts: Any, how: Notation) -> Any:
    """Texts without surrounding blanks, (rows,), as Arrow's float64; null for those that are not
    numbers in this notation.

    The sign may be U+2212, behind the number, or a pair of parentheses, and the exponent D. An
    integer that float64 would round is not a number.
    """
    if isinstance(texts, pa.ChunkedArray):
        return pa.chunked_array([parse(chunk, how) for chunk in texts.chunks], pa.float64())
    if how.suffixes:
        texts = _expanded(with_same_signs(texts))
    plain = how.unit is None
    values = _values(texts, how) if plain else pa.nulls(len(texts), pa.float64())
    others = pc.and_(pc.is_null(values), pc.is_valid(texts))
    if not pc.any(others).as_py():
        return values
    cells = _split(texts.filter(others))
    numbers = pc.if_else(pc.equal(cells.unit, how.unit or ""), cells.number, None)
    return pc.replace_with_mask(values, others, _values(numbers, how))


def infer_notation(texts: Any, marks: Marks) -> Notation | None:
    """The notation of a column of text in a file with these marks, if most of its cells are
    numbers. Raises UndecidedError."""
    texts = with_same_signs(texts.drop_null() if texts.null_count else texts)
    sample = _sample(texts)
    suffixes = _are_multiples(sample) and _are_multiples(texts)
    if suffixes:
        texts, sample = _expanded(texts), _expanded(sample)
    cells = _split(sample)
    unit = _unit(cells, marks)
    # (1), (2), (3) number something, and so do integers of so many digits.
    listed = _count(sample, r"^\([0-9]+\)$") >= len(cells.number.drop_null())
    if unit is None or listed or _count(sample, LONG) > MIN_NUMBERS * len(sample):
        return None
    # Nearly all columns of text are decided by their first cells.
    evidence = _evidence(cells.number)
    numbers = _numbers(texts, sample, unit)
    if evidence.decimal is None:
        evidence = _evidence(numbers)
    decimal = _decimal(evidence, marks)
    if not marks.proven and _count(numbers, LAKHS) > evidence.proven[COMMA]:
        decimal = POINT
    if decimal is None:
        mark = COMMA if evidence.either[COMMA] else POINT
        odd = pc.match_substring_regex(numbers, _marked(EITHER, mark))
        position = pc.index(odd, value=True).as_py()
        raise UndecidedError(position, numbers[position].as_py())
    thousands = marks.thousands
    if thousands is None:
        counts = {
            mark: _count(numbers, f"{SIGN}{_grouped(decimal, mark)}$")
            for mark in (OTHER[decimal], "'", " ", *([LAKH] if decimal == POINT else []))
            if _has(numbers, COMMA if mark == LAKH else mark)
        }
        thousands = max(counts, key=lambda mark: counts[mark], default=None)
        thousands = thousands if thousands and counts[thousands] else None
    return notation(decimal, thousands, unit or None, suffixes=suffixes)


def infer_marks(columns: Iterable[Any], marks: Marks) -> Marks:
    """The marks of a file whose decimal mark is not proven yet, by all of its columns of text."""
    samples = [(one, _split(_sample(one))) for one in columns]
    samples = [(one, cells) for one, cells in samples if _unit(cells, marks) is not None]
    found = [_evidence(cells.number) for _, cells in samples]
    commas = any(_has(one, COMMA) for one, _ in samples)
    if commas and not any(one.decimal for one in found):
        found = [
            _evidence(_numbers(one, _sample(one), _unit(cells, marks) or ""))
            for one, cells in samples
        ]
    proven = {one.decimal for one in found} - {None}
    if len(proven) == 1:
        return replace(marks, decimal=proven.pop() or POINT, proven=True)
    either = {mark: any(one.either[mark] for one in found) for mark in OTHER}
    comma = not proven and either[COMMA] and not either[POINT] and marks.delimiter != COMMA
    return replace(marks, decimal=COMMA if comma else POINT)


def proven_marks(texts: Any) -> set[str]:
    """The decimal marks that at least one of these cells proves."""
    cells = _split(texts)
    for numbers in (texts, pc.if_else(_are_known(cells), cells.number, None)):
        proven = {mark for mark, count in _evidence(numbers).proven.items() if count}
        if proven:
            break
    return proven


def are_codes(texts: Any) -> bool:
    """Whether a column of text has integers with leading zeros that are codes, such as 01001 or
    007: of one width, or many of them; but times of day, such as 0043, are none."""
    texts = with_same_signs(texts)
    zeros = _count(texts, "^0[0-9]+$")
    digits = _where(texts, "^[0-9]+$") if zeros else []
    if not zeros or len(digits) <= MIN_NUMBERS * (len(texts) - texts.null_count):
        return False
    if _count(digits, CLOCK) == len(digits):
        return False
    widths = pc.min_max(pc.utf8_length(digits)).as_py()
    return widths["min"] == widths["max"] or zeros >= MIN_CODES * len(digits)


def blanks_beside_numbers(texts: Any) -> Any:
    """Which cells of a column of text, as bools (rows,), seem to stand for missing values or for
    bounds, if the others are numbers: they say so, or they are the only text beside many
    different numbers; None if there are none."""
    texts = with_same_signs(texts)
    blank = pc.match_substring_regex(texts, BLANK)
    if not pc.any(blank).as_py():
        sample = _sample(texts)
        words = sample.filter(pc.is_null(_split(sample).number)).unique()
        if len(words) != 1 or len(sample.unique()) <= MIN_DIFFERENT:
            return None
        blank = pc.equal(texts, words[0])
    others = texts.filter(pc.invert(blank))
    if len(others) < MIN_OTHERS or len(others) == len(texts):
        return None
    cells = _split(others)
    count = len(others) - cells.number.null_count
    if count < MIN_UNUSUAL * len(others) or _unit(cells, UNDECIDED) is None:
        return None
    return blank


def _sample(texts: Any) -> Any:
    present = texts.drop_null() if texts.null_count else texts
    step = max(1, len(present) // SAMPLE)
    return present.take(pa.array(range(0, len(present), step))) if step > 1 else present


def _values(numbers: Any, how: Notation) -> Any:
    """Texts of a sign, a number in this notation and an exponent as float64, others as null."""
    plain = pc.match_substring_regex(numbers, f"{SIGN}(?:{_pattern(how)})(?:[eE][+-]?[0-9]+)?$")
    numbers = pc.if_else(plain, numbers, None)
    if how.mark:
        numbers = pc.replace_substring(numbers, how.mark, "")
    if how.decimal != POINT:
        numbers = pc.replace_substring(numbers, how.decimal, POINT)
    values = numbers.cast(pa.float64())
    large = pc.greater_equal(pc.abs(values), float(MAX_EXACT_INTEGER))
    if not pc.any(large).as_py():
        return values
    significant = pc.utf8_rtrim(pc.utf8_ltrim(numbers, "+-0"), "0")
    long = pc.greater(pc.utf8_length(significant), EXACT_DIGITS)
    integer = pc.match_substring_regex(numbers, f"{SIGN}[0-9]+$")
    return pc.if_else(pc.and_(pc.and_(integer, long), large), None, values)


def ascii_digits(text: str) -> str:
    """A text with the digits 0 to 9 instead of those of other scripts."""
    return re.sub(r"[^\D0-9]", lambda digit: str(int(digit[0])), text)


def with_same_signs(texts: Any) -> Any:
    """Texts with one way to write the same digit, sign, mark and blank."""
    ascii_only = pc.all(pc.string_is_ascii(texts)).as_py() is not False
    if ascii_only or not _count(texts, OTHER_SIGNS):
        return texts
    if _count(texts, OTHER_DIGIT):
        texts = pa.array([one and ascii_digits(one) for one in texts.to_pylist()], texts.type)
    for pattern, same in SAME_SIGNS:
        texts = pc.replace_substring_regex(texts, pattern, same)
    return texts


def _same(texts: Any) -> Any:
    """Texts with one way to write the same number."""
    texts = with_same_signs(texts)
    for part, pattern, same in SAME:
        if _has(texts, part):
            texts = pc.replace_substring_regex(texts, pattern, same)
    return texts


def _numbers(texts: Any, sample: Any, unit: str) -> Any:
    """The numbers in texts, which are the texts themselves if those of a sample are."""
    if _count(sample, f"{SIGN}[0-9.,]+{POWER}") == len(sample):
        return texts
    texts = with_same_signs(texts)
    for pattern in (re.escape(unit), "^[^0-9.,]+|[^0-9.,]+$"):
        texts = pc.replace_substring_regex(texts, pattern, "") if pattern else texts
    return texts


def _split(texts: Any) -> Cells:
    found = pc.extract_regex(_same(texts), CELL)
    sign, number, power, unit = found.flatten()
    power = pc.replace_substring_regex(power, "[dD]", "e")
    return Cells(
        pc.binary_join_element_wise(sign, number, power, pa.scalar("", texts.type)),
        pc.utf8_trim_whitespace(unit),
    )


def _are_known(cells: Cells) -> Any:
    """Which cells are numbers without a word behind them."""
    return pc.match_substring_regex(cells.unit, KNOWN_UNIT)


def _unit(cells: Cells, marks: Marks) -> str | None:
    """The unit of most cells, "" for none; None if most cells are not numbers."""
    total = len(cells.number)
    known = _are_known(cells)
    numbers = pc.sum(known).as_py() or 0
    # 1,5 beside decimal points may be a list of two.
    foreign = 0
    if marks.proven:
        other = pc.if_else(known, cells.number, None)
        foreign = sum(
            sign * _count(other, _marked(pattern, OTHER[marks.decimal]))
            for sign, pattern in ((1, DECIMAL), (-1, EITHER))
        )
    if numbers - foreign > MIN_NUMBERS * total or numbers >= max(1, MIN_UNUSUAL * total):
        return _most_frequent(pc.if_else(known, cells.unit, None))
    word = _most_frequent(pc.if_else(known, None, cells.unit))
    count = pc.sum(pc.equal(cells.unit, word)).as_py() if word else 0
    return word if count and count >= MIN_UNUSUAL * total else None


def _evidence(numbers: Any) -> Evidence:
    """Of numbers without their units."""
    has = {mark: _has(numbers, mark) for mark in OTHER}
    either = {mark: has[mark] and _count(numbers, _marked(EITHER, mark)) for mark in OTHER}
    proven = {
        mark: any(has.values()) and _count(numbers, _marked(PROVEN, mark)) - either[mark]
        for mark in OTHER
    }
    return Evidence(
        len(numbers) - numbers.null_count,
        proven,
        either,
        short=_count(numbers, f"{SIGN}[1-9][0-9]{{0,2}}$") > 0,
        long=_count(numbers, f"{SIGN}[0-9]{{4,}}$") > 0,
    )


def _decimal(found: Evidence, marks: Marks) -> str | None:
    """The decimal mark of a column, or None if it is undecided."""
    if marks.given:
        return marks.decimal
    own = found.decimal
    if own is not None:
        # Beside decimal points, the commas of a few cells may be between two numbers.
        listed = marks.proven and own == COMMA and found.proven[own] < MIN_NUMBERS * found.count
        if own == marks.decimal or (found.proven[own] > found.either[own] and not listed):
            return own
    mark = next((mark for mark, count in found.either.items() if count), None)
    if marks.proven or mark is None:
        return marks.decimal
    # Nothing in the file decides, so its delimiter does, except beside what may be grouped.
    if mark == COMMA and marks.delimiter == COMMA:
        return POINT
    if found.long or (not found.short and (mark == POINT or marks.delimiter == ";")):
        return mark
    return None


def _pattern(how: Notation) -> str:
    """What number is written in a notation, without its sign, exponent and unit."""
    point = f"[{how.decimal}]"
    grouped = f"|{_grouped(how.decimal, how.thousands)}" if how.thousands else ""
    return rf"[0-9]+(?:{point}[0-9]*)?|{point}[0-9]+{grouped}|(?i:inf(?:inity)?)"


def _grouped(decimal: str, thousands: str) -> str:
    groups = rf"[1-9][0-9]{{0,2}}(?:[{thousands}][0-9]{{3}})+"
    if thousands == LAKH:
        groups = "[1-9][0-9]?(?:,[0-9]{2})*,[0-9]{3}"
    return rf"{groups}(?:[{decimal}][0-9]*)?"


def _are_multiples(texts: Any) -> bool:
    """Whether most texts have one of SUFFIXES that is no unit, as K may be kelvin: there are
    several, or currencies, or k beside plain numbers."""
    found = pc.extract_regex(texts, SUFFIXED).flatten()[0].drop_null()
    if len(found) <= MIN_NUMBERS * len(texts):
        return False
    suffixes = set(pc.unique(found).to_pylist())
    return (
        len({one.upper() for one in suffixes}) > 1
        or _count(texts, CURRENCY) > MIN_NUMBERS * len(texts)
        or (suffixes == {"k"} and _count(texts, PLAIN) > 0)
    )


def _expanded(texts: Any) -> Any:
    """Texts with exponents instead of suffixes."""
    for suffix, power in SUFFIXES:
        pattern = rf"([0-9.,])\p{{Zs}}?{suffix}([^\pL]|$)"
        texts = pc.replace_substring_regex(texts, pattern, rf"\1{power}\2")
    return texts


def _marked(pattern: str, mark: str) -> str:
    return pattern.replace("MARK", re.escape(mark)).replace("OTHER", re.escape(OTHER[mark]))


def _where(texts: Any, pattern: str) -> Any:
    return texts.filter(pc.fill_null(pc.match_substring_regex(texts, pattern), fill_value=False))


def _count(texts: Any, pattern: str) -> int:
    return int(pc.sum(pc.match_substring_regex(texts, pattern)).as_py() or 0)


def _has(texts: Any, part: str) -> bool:
    return bool(pc.any(pc.match_substring(texts, part)).as_py())


def _most_frequent(texts: Any) -> str:
    counts = pc.value_counts(texts.drop_null()).to_pylist()
    return str(max(counts, key=lambda one: one["counts"])["values"]) if counts else ""
