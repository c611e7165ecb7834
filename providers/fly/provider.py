"""What all Fly resources share: the client of the call, and creating without making a second one."""

from collections.abc import Callable
from typing import TypeVar

from providers import waiting
from providers.errors import TimedOut, Uncertain
from providers.fly.api.client import Fly
from providers.resource import ArgsT, Provider, StateT

T = TypeVar("T")

LOOK_AGAIN_SECONDS = 10.0
"""How long an object that may have been made is looked for; Fly shows new objects late."""


class FlyProvider(Provider[ArgsT, StateT]):
    """Base of the Fly providers."""

    @property
    def fly(self) -> Fly:
        """The client, with the endpoints and the token of this moment."""
        return Fly(self.config)


def make_once(make: Callable[[], T], find: Callable[[], T | None], *, what: str) -> T:
    """What `make()` returns or, if its answer was lost, what `find()` then finds.

    Raises Uncertain if nothing is found: creating again right away could make a second one.
    """
    try:
        return make()
    except Uncertain as uncertain:
        try:
            return waiting.poll(find, seconds=LOOK_AGAIN_SECONDS, waiting_for=what)
        except TimedOut:
            raise Uncertain(f"{uncertain}; {what} is not there yet: run up again, it looks first") from None
