"""Adopting objects that exist: what a stack has not created, it releases instead of deleting.

A create that dies is not recorded, so an object that a later run finds may be the stack's own. Only a survey that was recorded before
anything was created tells the two apart: a resource of its own (`fly.Survey`, `appstore.Survey`), which every adopting resource gets
its ids from.
"""

from typing import Annotated

from providers.properties import KEPT
from providers.record import Input, Record, field


class Adoptable(Record):
    """The arguments of a resource that adopts an existing object."""

    existed: Annotated[Input[list[str]], KEPT] = field(default_factory=list)
    """Ids of such objects that existed before the stack created anything. They are left as they are when the resource is deleted."""
