"""Dates: the formats that a column of texts is written in, and reading texts by them.

A format is one of `datetime.strptime`, or ISO8601, which is what pandas reads as such. Q%q is a
quarter, as in `pandas.Period.strftime`; %G-W%V without a weekday is the Monday of the week. A
format without a date is one of times of day, which are those of 1970-01-01. Names of months may
be in any of the languages below.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.schema.numbers import ascii_digits

ISO = "ISO8601"
# One format, or several, of which the first that reads a text is used.
Format = str | list[str]
FORMAT = "ISO8601, a strptime format such as '%d.%m.%Y', or a list of formats"
SAMPLE = 1000  # texts of which nearly all must be dates, before all of them decide on the format
GLANCE = 20  # texts from which most columns are known to hold no dates
# The share of dates in a column of dates, and in one that is given to be one.
MIN_DATES, MIN_GIVEN = 0.9, 0.5
MIN_YEAR, MAX_YEAR = 1800, 2100  # of a month and a year in numbers
# Integers that are dates, by their number of digits; and the first and the last such date.
DIGITS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
FIRST, LAST = "19000101000000", "20301231235959"
# What is as likely something else, so that only a column that is given to be of dates has it.
RARE = (
    *("%d.%m.%y", "%Y-%j", "%d%m%Y", "%d%b", "%d-%b", "%d %b", "%b %d", "%m/%y", "%Hh%M"),
    *("%Y年%m月%d日", "%Y年%m月"),
)

# English, German, French, Spanish, Italian, Portuguese and Dutch, without accents.
_MONTHS = {
    "Jan": "january januar janvier janv enero ene gennaio gen janeiro januari",
    "Feb": "february februar fevrier fevr fev febrero febbraio fevereiro februari",
    "Mar": "march marz mrz mars marzo marco maart mrt",
    "Apr": "april avril avr abril abr aprile",
    "May": "mai mayo maggio mag maio mei",
    "Jun": "june juni juin junio giugno giu junho",
    "Jul": "july juli juillet juil julio luglio lug julho",
    "Aug": "august aout agosto ago augustus",
    "Sep": "september sept septembre septiembre settembre setembro set",
    "Oct": "october oktober okt octobre octubre ottobre ott outubro out",
    "Nov": "november novembre noviembre novembro",
    "Dec": "december dezember dez decembre diciembre dic dicembre dezembro",
}
_ENGLISH = {
    name: short for short, names in _MONTHS.items() for name in [short.lower(), *names.split()]
}
TWO_DIGITS = 2
ABBREVIATED = 3  # letters
_WEEKDAY = re.compile(
    "(mon|tues|wednes|thurs|fri|satur|sun)day|mon|tue|wed|thu|fri|sat|sun", re.IGNORECASE
)
_TIME = re.compile(
    r"""(?<!\d) \d{1,2}
    (?: (?P<minute>:\d\d) (?P<second>:\d\d (?P<fraction>[.,]\d{1,9})? )? | (?=\s*[ap]\.?m) )
    (?P<half>\s*[ap]\.?m\b\.?)?
    (?P<zone>\s?((?-i:Z|UTC|GMT)|[+-]\d\d:?\d\d))?
    (?![\w:])""",
    re.VERBOSE | re.IGNORECASE,
)
_ZONE = r"(?::\d\d|[T ]\d\d)\S* ?(?:[Zz]|[+-]\d\d(?::?\d\d)?|UTC|GMT)$"
_SEASON = r"^(\d{4})[-/](\d\d)$"
_ISO_LIKE = re.compile(r"\d{4}[-/. ]\d{1,2}(\D|$)|\d{8}([T ]\d|$)")
# How a day is written: Y is a number of four digits, n one of two or less, D one of DIGITS, B the
# name of a month, and Q, W and M these letters; and its fields in strptime's codes, the likeliest
# first.
_FIELDS = {
    "Ynn": ["Ymd"],
    "nnY": ["dmY", "mdY"],
    "nnn": ["dmy", "mdy", "ymd"],
    "nBY": ["dbY"],
    "nBn": ["dby"],
    "BnY": ["bdY"],
    "Bnn": ["bdy"],
    "YBn": ["Ybd"],
    "BY": ["bY"],
    "YB": ["Yb"],
    "Bn": ["by"],
    "nY": ["mY"],
    "YQn": ["YQq"],
    "QnY": ["QqY"],
    "YWn": ["GWV"],
    "YWnn": ["GWVu"],
    "WnY": ["WVG"],
    "YMn": ["YMm"],
    "D": ["D"],
}
# What separates the fields of those that could be something else than a day.
_SEPARATORS = {
    "Ynn": "-/. ",
    "nnY": ["-", "/", ".", " ", ". "],
    "nnn": "-/.",
    "Bn": ["-", "/", "'", " '", "-'"],
    "nY": "-/",
}
_LITERAL = re.compile(r"([\s,.:/_'\0-]|%a|de|of|Uhr|T(?=\0))*", re.IGNORECASE)


def parse_dates(texts: "pd.Series[Any]", date_format: Format) -> "pd.Series[Any]":
    """Texts as datetime64[us] in UTC, each by the first format that reads it; NaT where none
    does. A day or a time of day in ISO 8601 has one meaning only, so it is accepted beside a format
    that does not begin with the year. Raises ValueError for what is no format."""
    return _parse(texts, as_list(date_format))[0]


def _parse(texts: "pd.Series[Any]", formats: list[str]) -> tuple["pd.Series[Any]", list[str]]:
    """As `parse_dates`, and those of the formats by which a text is read."""
    index, texts = texts.index, texts.reset_index(drop=True)
    if not texts.str.isascii().all():
        # strptime reads no other digits.
        texts = texts.map(ascii_digits, na_action="ignore")
    # pandas reads these as the current time, whatever the format.
    texts = texts.mask(texts.isin(["now", "today"]))
    dates, used = _read(texts, formats[0]), formats[:1]
    for one in formats[1:]:
        more = _read(texts[dates.isna()], one)
        if more.notna().any():
            dates, used = dates.fillna(more), [*used, one]
    if not any(one.startswith((ISO, "%Y")) for one in formats):
        rest = texts[dates.isna() & texts.notna()]
        if is_clock(formats):
            rest = "1970-01-01T" + rest[rest.str.match(r"\d\d?:\d\d")]
        dates = dates.fillna(_read(rest[rest.str.match(r"\d{4}-\d\d-\d\d")], ISO))
    return dates.set_axis(index), used


def _read(texts: "pd.Series[Any]", date_format: str) -> "pd.Series[Any]":
    """As `parse_dates`, by one format alone."""
    if "Q%q" in date_format:
        date_format = date_format.replace("Q%q", "%m")
        quarters = texts.where(texts.str.contains("Q[1-4]", case=False)).str
        texts = quarters.replace("(?i)Q([1-4])", lambda q: f"{3 * int(q[1]) - 2:02}", regex=True)
    if "%V" in date_format and not re.search("%[uwaA]", date_format):
        texts, date_format = texts + " 1", date_format + " %u"
    if is_clock(date_format):
        texts, date_format = "1970-01-01 " + texts, "%Y-%m-%d " + date_format
    dates = _strptime(texts, date_format)
    if re.search("%[bBp]", date_format):
        rest = texts[dates.isna() & texts.notna()].map(_in_english)
        dates = dates.fillna(_strptime(rest, date_format.replace("%B", "%b")))
    return dates


def _strptime(texts: "pd.Series[Any]", date_format: str) -> "pd.Series[Any]":
    dates = pd.to_datetime(texts, format=date_format, errors="coerce", utc=True)
    return dates.dt.tz_localize(None).astype("datetime64[us]")


def _in_english(text: str) -> str:
    """A text with abbreviated English names of months, with am and pm, and without ordinals."""
    text = _without_accents(text)
    text = re.sub(
        r"([a-z]{3,})(\.(?=\s))?",
        lambda found: _ENGLISH.get(found[1].lower(), found[0]),
        text,
        flags=re.IGNORECASE,
    )
    text = re.sub(r"(?<=\d)(st|nd|rd|th)\b", "", text, flags=re.IGNORECASE)
    return re.sub(r"([ap])\.m\b\.?", r"\1m", text, flags=re.IGNORECASE)


def _without_accents(text: str) -> str:
    return "".join(
        one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one)
    )


def have_zones(values: "pd.Series[Any]") -> "pd.Series[bool]":
    """Which of a column's dates have a time zone, of those that are not missing."""
    present, types = values.dropna(), pd.api.types
    if types.is_datetime64_any_dtype(present) or types.is_numeric_dtype(present):
        return pd.Series(isinstance(present.dtype, pd.DatetimeTZDtype), present.index)
    return present.astype("str").str.contains(_ZONE)


def as_list(date_format: Format | None) -> list[str]:
    """The formats of a column of dates; None is ISO 8601."""
    return date_format if isinstance(date_format, list) else [date_format or ISO]


def as_format(formats: list[str]) -> Format:
    """One format if there is only one."""
    return formats[0] if len(formats) == 1 else formats


def is_format(value: Any) -> bool:
    """Whether this is a format that `parse_dates` takes."""
    formats = value if isinstance(value, list) else [value]
    if not formats or not all(
        isinstance(one, str) and ("%" in one or one == ISO) for one in formats
    ):
        return False
    try:
        parse_dates(pd.Series(["2024"], dtype="str"), formats)
    except ValueError:
        return False
    return True


def is_clock(date_format: Format | None) -> bool:
    """Whether the format is one of times of day."""
    formats = as_list(date_format)
    codes = set(re.findall("%(.)", " ".join(formats)))
    return ISO not in formats and bool(codes & {*"HI"}) and codes <= {*"HIMSfp"}


def is_of_integers(date_format: Format | None) -> bool:
    """Whether dates of the format may be read as integers without a loss."""
    return {*as_list(date_format)} <= {ISO, *DIGITS.values()}


def moment(text: str) -> pd.Timestamp:
    """The moment of a date or a time of day in ISO 8601."""
    return pd.Timestamp(f"1970-01-01T{text}" if re.match(r"\d\d:", text) else text)


def infer_format(texts: "pd.Series[Any]", *, given: bool = False) -> Format | None:
    """The format of a column of dates, without missing values: one order of day, month and year,
    with each way in which the time is written.

    None if less than MIN_DATES of the texts are dates of one order; of a column that is given to
    be one of dates, if less than half of them are, and nearly all of them are of none of RARE.
    """
    sample = sample_of(texts)
    found = [one for one in layouts(sample) if one.is_accepted(given=given)]
    if found and len(sample) < len(texts) and [one.day for one in found] != [ISO]:
        found = layouts(texts, {one.day for one in found})
        found = [one for one in found if one.is_accepted(given=given)]
    if not found and given:
        return next((one for one in RARE if _share(texts, one) >= MIN_DATES), None)
    if not found or (not given and are_seasons(sample) and are_seasons(texts)):
        return None
    # If the two digits of the year are taken for a day, the dates are scattered over decades.
    return as_format(max(found, key=lambda one: (one.share, -one.years)).formats)


def _share(texts: "pd.Series[Any]", date_format: str) -> float:
    """The share of texts that are dates of this format."""
    return float(parse_dates(texts, date_format).notna().mean())


def are_seasons(texts: "pd.Series[Any]") -> bool:
    """Whether texts are several seasons, each of a year and the next one, such as 2009-10."""
    years = texts.str.extract(_SEASON).astype("float64")
    several = len(texts.unique()) > 1
    return several and bool(((years[0] + 1) % 100 == years[1]).all())


def sample_of(texts: "pd.Series[Any]") -> "pd.Series[Any]":
    """About a thousand of the texts."""
    return texts.iloc[:: max(1, len(texts) // SAMPLE)]


def integer_format(numbers: "pd.Series[Any]") -> str | None:
    """The format of integers that are all dates, such as 20240321, if there are any; None if one
    of the numbers is another."""
    low, high = numbers.min(), numbers.max()
    for digits, date_format in DIGITS.items():
        if int(FIRST[:digits]) <= low and high <= int(LAST[:digits]):
            whole = numbers.dropna().astype("int64")
            dates = _read(whole.astype("str"), date_format)
            return (
                date_format if dates.notna().all() and (whole == numbers.dropna()).all() else None
            )
    return None


@dataclass(frozen=True)
class Layout:
    """One order of day, month and year in which texts may be written.

    Attributes
    ----------
    day
        The format of the day alone; "" of times of day.
    formats
        With each way in which the time is written that occurs.
    dates
        The texts as `parse_dates` reads them.
    alike
        Which texts look as if they were written in one of the formats, a bool per text.

    """

    day: str
    formats: list[str]
    dates: "pd.Series[Any]"
    alike: "pd.Series[bool]"

    @property
    def share(self) -> float:
        """The share of the texts that are dates."""
        return float(self.dates.notna().mean())

    @property
    def years(self) -> int:
        """From the first date to the last."""
        return int(self.dates.max().year - self.dates.min().year)

    def is_accepted(self, *, given: bool) -> bool:
        """Whether enough of the texts are dates and, if they are not given to be, nothing else.
        Numbers that are not a whole date with a year of four digits may be: then any that look
        alike but are no dates, such as a duration of 35:12, show that the others are none
        either."""
        if given or self.share < MIN_DATES:
            return given and self.share > MIN_GIVEN
        if self.day == ISO or re.search("%[bBGqY].*%|%.*%[bBGq]|%[dm].*%[dm].*%Y", self.day):
            return True
        plausible = self.dates.dropna().dt.year.between(MIN_YEAR, MAX_YEAR)
        return bool(self.dates[self.alike].notna().all() and plausible.all())


def layouts(texts: "pd.Series[Any]", days: Collection[str] | None = None) -> list[Layout]:
    """The orders of day, month and year in which the texts, without missing ones, may be written,
    or those with the given formats of a day; none if few of the texts look like dates. ISO 8601
    alone if it reads them all."""
    glance = texts.iloc[:: max(1, len(texts) // GLANCE)]
    if sum(map(looks_like_date, glance)) <= len(glance) / 2:
        return []
    shapes = texts.str.replace(r"\d", "0", regex=True)
    first = ~shapes.duplicated()
    found: dict[str, dict[str, list[str]]] = {}
    for shape, text in zip(shapes[first], texts[first], strict=True):
        for day, date_format in _candidates(text):
            if days is None or day in days:
                found.setdefault(day, {}).setdefault(date_format, []).append(shape)
    result = []
    for day, formats in found.items():
        dates, used = _parse(texts, list(formats))
        alike = shapes.isin([shape for group in formats.values() for shape in group])
        result.append(Layout(day, used, dates, alike))
        if day == ISO and dates.notna().all():
            break
    return result


def looks_like_date(text: str) -> bool:
    """Whether a text looks like a date or a time of day, even if there is no such day."""
    return any(True for _ in _candidates(text))


def _candidates(text: str) -> Iterator[tuple[str, str]]:
    """The formats that a text may be written in: that of its day, and that of the whole."""
    if _ISO_LIKE.match(text):
        yield ISO, ISO
    text = re.sub(r"\s+", " ", text)
    time = _TIME.search(text)
    if time is None:
        yield from ((day, day) for day in _days(text))
        return
    rest = f"{text[: time.start()]}\0{text[time.end() :]}"
    if rest not in ("\0", "\0 Uhr"):
        for day in _days(rest):
            yield re.sub(r"[ ,:T_]*\0", "", day), day.replace("\0", _clock(time))
    elif not time["zone"]:
        yield "", rest.replace("\0", _clock(time))


def _clock(time: "re.Match[str]") -> str:
    """The format of a time."""
    half, zone = time["half"] or "", time["zone"] or ""
    named = zone.strip().upper() in ("UTC", "GMT")
    return "".join(
        (
            "%I" if half else "%H",
            ":%M" if time["minute"] else "",
            ":%S" if time["second"] else "",
            time["fraction"][0] + "%f" if time["fraction"] else "",
            re.sub(r"\S+", "%p", half),
            re.sub(r"\S+", "%Z" if named else "%z", zone),
        )
    )


def _days(text: str) -> Iterator[str]:
    """The formats that a day may be written in; a NUL, where the time was, is kept."""
    pieces = re.split(r"(\d+|[^\W\d_]+)", text)
    written, tokens = "", []
    literals = [pieces[0]]  # before the first field, and after each
    for token, after in zip(pieces[1::2], pieces[2::2], strict=True):
        code = _written(token)
        if code:
            # As _in_english leaves it.
            dot = code == "B" and re.match(r"\.(\s|$)", after)
            written += code
            tokens.append(token)
            literals.append(after[1:] if dot else after)
        elif token in ("st", "nd", "rd", "th") and written.endswith("n") and not literals[-1]:
            literals[-1] = after
        elif _WEEKDAY.fullmatch(token):
            literals[-1] += ("%a" if len(token) == ABBREVIATED else "%A") + after
        else:
            literals[-1] += token + after
    between = literals[1:-1]
    allowed = _SEPARATORS.get(written)
    if not all(_LITERAL.fullmatch(one) for one in literals) or (
        allowed is not None and not (len(set(between)) == 1 and between[0] in allowed)
    ):
        return
    for codes in _FIELDS.get(written, []):
        if "y" in codes and len(tokens[codes.index("y")]) != TWO_DIGITS:
            continue
        # Other numbers with points are rather versions.
        pointed = "." in between and "y" in codes
        if pointed and (codes != "dmy" or any(len(token) != TWO_DIGITS for token in tokens)):
            continue
        fields = [_code(code, token) for code, token in zip(codes, tokens, strict=True)]
        yield literals[0] + "".join(map("".join, zip(fields, literals[1:], strict=True)))


def _written(token: str) -> str | None:
    """The letter of `_FIELDS` for a number or a word; None for any other."""
    if token.isdigit():
        return {4: "Y", 2: "n", 1: "n"}.get(len(token), "D" if len(token) in DIGITS else None)
    word = _without_accents(token).lower()
    return "B" if word in _ENGLISH else {"q": "Q", "w": "W", "m": "M"}.get(word)


def _code(code: str, token: str) -> str:
    """The format of a field."""
    if code == "b":
        return "%b" if len(token) == ABBREVIATED else "%B"
    return DIGITS[len(token)] if code == "D" else token.upper() if code in "QWM" else f"%{code}"


def with_format_of(date_format: Format | None, text: str) -> list[str] | None:
    """The formats of a column, and one that a text is written in which they do not read; None if
    it looks like no date, like a time of day beside dates, or like one of these formats with
    day and month swapped."""
    formats = as_list(date_format)
    for _, one in _candidates(text):
        read = parse_dates(pd.Series([text], dtype="str"), one).notna().all()
        if read and is_clock(one) == is_clock(formats) and not is_swapped(one, formats):
            return [*formats, one]
    return None


def is_swapped(date_format: str, formats: list[str]) -> bool:
    """Whether a format is one of these if day and month are swapped."""
    known = {one.replace(ISO, "%Y-%m-%d").replace("%m", "%d") for one in formats}
    return date_format.replace("%m", "%d") in known
