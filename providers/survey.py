"""The base of the surveys: what exists before a stack creates anything, looked at once (see providers/adoption.py)."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from providers import engine
from providers.properties import REPLACES, marked
from providers.resource import ArgsT, Gate


class Surveyed(Protocol):
    """What every survey records, besides the ids by kind."""

    adopted: list[str]
    """A phrase for each object that the stack adopts."""


SurveyedT = TypeVar("SurveyedT", bound=Surveyed)


class SurveyGate(Gate[ArgsT, SurveyedT]):
    """Takes a survey when its stack is new or its state is lost. The one argument that `REPLACES` is the subject and the id."""

    def look(self, args: ArgsT) -> SurveyedT:
        """Look at what exists. Reads only."""
        raise NotImplementedError

    def changed_fields(self, state: SurveyedT, args: ArgsT) -> Iterable[str]:
        """Only another subject: in a second survey, what the stack has created since would count as having existed."""
        return [name for name in marked(self.Args, REPLACES) if getattr(state, name) != getattr(args, name)]

    def ensure(self, args: ArgsT) -> tuple[str, SurveyedT]:
        state = self.look(args)
        for phrase in state.adopted:
            engine.note(f"adopts {phrase}, which exists already; `pulumi destroy` will leave it")
        (subject,) = marked(self.Args, REPLACES)
        return str(getattr(args, subject)), state

    def sync(self, id: str, state: SurveyedT, args: ArgsT) -> SurveyedT:
        return state
