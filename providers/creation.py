"""Creating an object once, also if the response to its creation is lost."""

from collections.abc import Callable
from typing import TypeVar

from providers import waiting
from providers.errors import ErrorText, TimedOut, Uncertain

T = TypeVar("T")

LOOK_AGAIN_SECONDS = 10.0
"""How long to look for an object after the response to its creation was lost: new objects appear with a delay."""

STILL_MISSING = ErrorText(
    "{uncertain}; {what} is not visible yet",
    remedy="run `pulumi up` again: it looks for the object first",
    error=Uncertain,
)


def create_idempotent(create: Callable[[], T], find: Callable[[], T | None], *, what: str) -> T:
    """The result of `create()` or, if its response was lost, of `find()`.

    Raises Uncertain if nothing is found: creating again right away could create a second object.
    """
    try:
        return create()
    except Uncertain as uncertain:
        try:
            return waiting.poll(find, seconds=LOOK_AGAIN_SECONDS, waiting_for=what)
        except TimedOut:
            raise STILL_MISSING(uncertain=uncertain.message, what=what) from None
