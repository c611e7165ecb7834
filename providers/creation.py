"""Creating an object once, also if the response to its creation is lost, or the run is killed at that moment."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from providers import waiting
from providers.errors import ErrorText, TimedOut, Uncertain


class Dated(Protocol):
    @property
    def created_at(self) -> str:
        """RFC 3339, in UTC; empty if unknown."""


T = TypeVar("T")
DatedT = TypeVar("DatedT", bound=Dated)

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


def keep_first(
    created: DatedT,
    listed: Callable[[], Sequence[DatedT]],
    *,
    key: Callable[[DatedT], str],
    delete: Callable[[DatedT], object],
) -> DatedT:
    """The object that stays if a run that was killed right after its own creation has left one like it: the older one.

    A list that lags did not show that one, and the vendor allows both. Once the list shows the new object, it shows what was created
    before too; then the new one is deleted, which nobody uses yet, because only this call knows it. `listed()` are all objects like
    it, and `key` is the id of one. Without a time of creation, or if the list does not show it in time, the new one stays.
    """

    def shown() -> Sequence[DatedT] | None:
        found = listed()
        return found if key(created) in map(key, found) else None

    try:
        found = waiting.poll(shown, seconds=LOOK_AGAIN_SECONDS, waiting_for=f"{key(created)} to be listed")
    except TimedOut:
        return created
    own = next(item for item in found if key(item) == key(created))
    older = [item for item in found if item is not own and "" < item.created_at <= own.created_at]
    if not older:
        return created
    delete(created)
    return min(older, key=lambda item: item.created_at)
