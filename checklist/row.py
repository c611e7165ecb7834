"""A row of the checklist, and what an evaluation finds out about it."""

from collections.abc import Callable, Mapping
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from checklist.known import Known, ShapeT, Unreadable


class Phase(StrEnum):
    """The parts of PR #42, in its order."""

    BACKEND = "Backend"
    OPERATIONS = "Operations"
    IOS_BUILD = "iOS build"
    TESTFLIGHT = "TestFlight"
    LAUNCH = "Launch"


class State(StrEnum):
    """The result of a row: proven, or why it is not."""

    OK = "ok"
    WAITING = "waiting"
    MISSING = "missing"
    FAILED = "failed"
    WAIVED = "waived"


class Open(Exception):
    """A row does not hold; one subclass per reason. An empty `text` or `remedy` means that of the row."""

    state = State.MISSING
    waits_for = ""

    def __init__(self, text: str = "", *, remedy: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.remedy = remedy


class Missing(Open):
    """There is no evidence yet."""


class Waiting(Open):
    """The evidence has to come from somebody else, and nothing is wrong: from Apple, or from a person."""

    state = State.WAITING

    def __init__(self, text: str = "", *, on: str, remedy: str = "") -> None:
        super().__init__(text, remedy=remedy)
        self.waits_for = on


class Failed(Open):
    """There is evidence, and it contradicts the row."""

    state = State.FAILED


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the checklist."""

    key: str
    """Its name in `waivers` and in launch records."""
    phase: Phase
    title: str
    blocks: bool
    """Whether a launch can be declared only when the row holds or is waived. Only the declaration itself does not block: a team
    that can do without a row waives it, with a reason."""
    absent: str
    """What is open when the resource that proves the row is not there."""
    remedy: str
    """What to do when the row is open, unless the evaluation raises a more specific one."""
    evidence: Callable[[Known], str]
    """The evidence that the row holds; raises Open or Unreadable. Pure."""
    link: Callable[[Known], str] | None
    """The vendor's page that shows it. Raises Open or Unreadable if the object does not exist."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a row. `text` is the evidence when it holds, and otherwise what is open, with the `remedy`."""

    row: Row
    state: State
    text: str
    remedy: str = ""
    waits_for: str = ""
    """Who has to act, if the row waits for somebody."""
    reason: str = ""
    """Why the row is waived; empty when it is not."""
    by: str = ""
    """Who waived it."""
    until: str = ""
    """The date on which the waiver ends, `2026-11-29`; empty if it does not end."""
    link: str | None = None

    @property
    def holds(self) -> bool:
        """Whether the row is proven or waived."""
        return self.state in (State.OK, State.WAIVED)

    @property
    def blocks(self) -> bool:
        """Whether this finding keeps a launch from being declared."""
        return self.row.blocks and not self.holds

    @property
    def problem(self) -> str:
        """What is open and what to do about it, whether the row is waived or not; empty when it is proven."""
        return "" if self.state is State.OK else f"{self.text}: {self.remedy}"

    @property
    def summary(self) -> str:
        """One line for people: the evidence, the problem, or the waiver with what it leaves unproven."""
        if self.state is State.WAIVED:
            until = f" until {self.until}" if self.until else ""
            return f"waived by {self.by}{until}: {self.reason}; not proven: {self.text}"
        return self.problem or self.text


def row(
    key: str,
    phase: Phase,
    title: str,
    *,
    blocks: bool = True,
    absent: str,
    remedy: str,
    link: Callable[[Known], str] | None = None,
) -> Callable[[Callable[[Known], str]], Row]:
    """Decorator that makes a function, which returns the evidence or raises Open, a row."""

    def decorate(evidence: Callable[[Known], str]) -> Row:
        return Row(
            key=key,
            phase=phase,
            title=title,
            blocks=blocks,
            absent=absent,
            remedy=remedy,
            evidence=evidence,
            link=link,
        )

    return decorate


def need(known: Known, shape: type[ShapeT], *, within: str = "") -> ShapeT:
    """The first resource of a type. Raises Missing where there is none, and Unreadable where it lacks an output."""
    found = known.first(shape, within=within)
    if found is None:
        raise Missing
    return found


def evaluate(row: Row, known: Known, waiver: Mapping[str, str] | None = None) -> Finding:
    """The finding of one row. A waiver, `{reason, by, until?}`, counts only while the row is open, and before the day `until`; the
    finding keeps what is open."""
    link = _link(row, known)
    try:
        return Finding(row=row, state=State.OK, text=row.evidence(known), link=link)
    except Open as open_:
        found = Finding(
            row=row,
            state=open_.state,
            text=open_.text or row.absent,
            remedy=open_.remedy or row.remedy,
            waits_for=open_.waits_for,
            link=link,
        )
    except Unreadable as unreadable:
        found = Finding(row=row, state=State.FAILED, text=str(unreadable), remedy="run `pulumi up`", link=link)
    if waiver and row.blocks and not _has_ended(waiver, known):
        reason, by, until = (waiver.get(name, "") for name in ("reason", "by", "until"))
        return replace(found, state=State.WAIVED, reason=reason, by=by, until=until)
    return found


def _has_ended(waiver: Mapping[str, str], known: Known) -> bool:
    return bool(waiver.get("until")) and waiver["until"] <= known.now.date().isoformat()


def _link(row: Row, known: Known) -> str | None:
    try:
        return row.link(known) if row.link else None
    except (Open, Unreadable):
        return None
