"""What a check finds in a table, and what is done about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.config.data import Lint, Policy
from pipeline.runtime.errors import UserError
from pipeline.schema.remedy import quoted

LEAVE_OUT = "leave it out with data.leave_out=[{name}]"
MISSING = "if it stands for a missing value, set data.reading.more_missing={detail}"


class Description(NamedTuple):
    """What a kind of finding means, and what to do about it."""

    what: str
    remedy: str


KINDS = {
    "totals_row": Description("a row sums up others", "leave it out with {setting}"),
    "header_row": Description(
        "the first row is a second header", "leave it out with data.reading.units_row=true"
    ),
    "shared_rows": Description("equal rows are in more than one part", "remove the copies"),
    "shared_group": Description(
        "groups are in more than one part",
        "split by them with data.split.by=group data.split.column={name}",
    ),
    "target_missing_code": Description(
        "a value of the target is far from all others", f"{MISSING} data.missing_target=drop"
    ),
    "target_copy": Description("is a copy of the target", LEAVE_OUT),
    "target_sum": Description(
        "the target is computed from features", "leave them out with data.leave_out={detail}"
    ),
    "target_near_sum": Description(
        "the target is nearly a sum of features",
        "if they are parts of it, leave them out with data.leave_out={detail}",
    ),
    "identifier": Description("could be memorised: looks like an identifier", LEAVE_OUT),
    "constant": Description("has one value in all training rows", LEAVE_OUT),
    "all_missing": Description("has no value in the training rows", LEAVE_OUT),
    "missing_code": Description("a value is far from all others", MISSING),
    "rare_categories": Description("all categories are rare", LEAVE_OUT),
    "future_date": Description(
        "has future dates", "fix them, with four digits of the year if they have two"
    ),
}
UNINFORMATIVE = ("identifier", "constant", "all_missing")


@dataclass(frozen=True)
class Finding:
    """Something that a check found.

    Attributes
    ----------
    kind
        A field of config.data.Lint.
    column
        Its name, or "" for whole rows.
    evidence
        In numbers.
    detail
        The texts that the remedy lists: values or names of columns; or a setting.

    """

    kind: str
    column: str
    evidence: str
    detail: tuple[str, ...] = ()

    @property
    def accept(self) -> str:
        """The entry of data.lint.accept that accepts it."""
        return f"{self.kind}:{self.column}" if self.column else self.kind

    @property
    def uninformative(self) -> bool:
        """Whether the column is to be left out."""
        return self.kind in UNINFORMATIVE

    def message(self, source: str, *, left_out: bool = False) -> str:
        """One line: where, what, the evidence, and what to do or what was done."""
        where = f"{source}, column {self.column!r}" if self.column else source
        what, remedy = KINDS[self.kind]
        listed = f"[{','.join(map(quoted, self.detail))}]"
        setting = "".join(self.detail)
        remedy = remedy.format(name=quoted(self.column), detail=listed, setting=setting)
        accept = f"data.lint.accept=[{quoted(self.accept)}]"
        if left_out:
            keep = "" if self.kind == "all_missing" else f"; keep it with {accept}"
            return f"{where}: {what} ({self.evidence}), so it is left out{keep}"
        return f"{where}: {what} ({self.evidence}); {remedy}, or accept it with {accept}"


def apply_policies(found: Sequence[Finding], lint: Lint, source: str) -> list[Finding]:
    """The findings to warn of.

    Raises UserError with a line for each finding whose policy is error, unless lint.accept has
    it, and for an entry of lint.accept whose kind does not exist.
    """
    for entry in lint.accept:
        kind = entry.partition(":")[0]
        if kind not in KINDS:
            raise UserError(
                f"data.lint.accept: the kind {kind!r} of {entry!r} does not exist;"
                f" the kinds are {', '.join(KINDS)}"
            )
    remaining = [one for one in found if one.accept not in lint.accept]
    errors = [one for one in remaining if getattr(lint, one.kind) is Policy.error]
    if errors:
        raise UserError("\n".join(one.message(source) for one in errors))
    return [one for one in remaining if getattr(lint, one.kind) is Policy.warn]
