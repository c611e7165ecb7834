"""A row of the table: what somebody does to a live production stack, what a preview says, and what `up` does."""

from dataclasses import dataclass, field
from typing import Any

from harness.engine import StackInProcess

RESTART = ("~ solos-backend-machine", "~ solos-backend-rollout")
"""The machine gets another version in place: some seconds without an answer, as in a release."""


@dataclass(frozen=True, kw_only=True)
class Mistake:
    key: str
    """The setting, or the key of fly.toml, that is changed; a pattern for all keys of a table."""
    name: str
    """What is done, for the name of the test."""
    says: str
    """What the preview says: the refusal, or what changes; empty when nothing does."""
    settings: dict[str, Any] = field(default_factory=dict)
    """New values; None removes one."""
    edits: tuple[tuple[str, str], ...] = ()
    """Texts in fly.toml, and what takes their place."""
    refused: bool = False
    """Whether the preview fails. Then `up` fails as well, even without a preview, and nothing is changed."""
    steps: tuple[str, ...] = ()
    """All that the preview shows, as a symbol and the name of the resource, evidence included."""
    tried: bool = False
    """Whether `up` is run as well. It is not when the steps only change the machine in place, in a way that others show."""
    fails: str = ""
    """Why `up` fails although the preview does not: what only Fly or Apple can know."""
    gives_up: tuple[str, ...] = ()
    """What is not as before afterwards, of `production.held`."""
    confirmed: str = ""
    """By what a person has confirmed that; needed with `gives_up`."""

    def make(self, stack: StackInProcess) -> None:
        stack.configure(**self.settings)
        for before, after in self.edits:
            stack.edit("fly.toml", before, after)

    @property
    def id(self) -> str:
        return f"{self.key}-{self.name}"


def refused(key: str, value: Any, says: str, name: str = "", **more: Any) -> Mistake:
    """A value of a setting that a preview refuses."""
    settings = {key: value, **more.pop("settings", {})}
    return Mistake(key=key, name=name or _name(value), says=says, settings=settings, refused=True, **more)


def applied(key: str, value: Any, *steps: str, says: str = "", name: str = "", **more: Any) -> Mistake:
    """A value of a setting that is applied in place."""
    settings = {key: value, **more.pop("settings", {})}
    return Mistake(key=key, name=name or _name(value), says=says, settings=settings, steps=steps, **more)


def line(key: str, before: str, after: str, *steps: str, says: str, name: str = "", **more: Any) -> Mistake:
    """A line of fly.toml that is applied in place, or refused when it is `refused`."""
    what = name or ("changed" if after.strip() else "removed")
    return Mistake(key=key, name=what, says=says, edits=((before, after),), steps=steps, **more)


def _name(value: Any) -> str:
    return "removed" if value is None else "changed"
