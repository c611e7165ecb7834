"""The errors that people see.

    ProviderError            one line: what happened, to which object, why, and what to do
    ├── ApiError             the vendor refused a call (fly/ and appstore/ refine it by situation)
    ├── Unreachable          no usable answer came, and repeating the call is safe
    ├── Uncertain            a write got no usable answer: it may or may not have happened, so look before repeating
    ├── TimedOut             a wait reached its deadline
    ├── Incomplete           the object exists but is not as it should be; the engine records it and calls update next time
    └── Unexpected           a defect in a provider, with its place in the code

    Problem                  one thing that is wrong with the arguments of a resource, found before any call

Texts are constants of the module that reports them, so that they can be listed (infra-docs/ERRORS.md is made from them):

    GONE = ErrorText("machine {id} of app {app} does not exist", remedy="run `pulumi refresh`, then `pulumi up`")
    ...
    raise GONE(id=id, app=args.app)

No text contains a secret.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any


class ProviderError(Exception):
    """Base of everything that a provider raises on purpose. `str(error)` is the one line that a person reads: `message`, which
    says what happened, to which object and why, then `remedy`, which says what to do."""

    # Python prints "<module>.<Class>: <message>"; builtins have no module, so people read "ApiError: <message>".
    __module__ = "builtins"

    remedy: str = ""
    """A class of errors with one cause sets it; otherwise each error has its own."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        self.message = message
        self.remedy = remedy or self.remedy
        super().__init__(f"{message}; {self.remedy}" if self.remedy else message)


class ApiError(ProviderError):
    """A vendor answered with an error. `status` is the HTTP status, `codes` the vendor's own codes (may be empty),
    `request_id` what the vendor's support asks for, `body` the answer's text, shortened."""

    __module__ = "builtins"

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        status: int,
        codes: Sequence[str] = (),
        request_id: str = "",
        body: str = "",
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status
        self.codes = tuple(codes)
        self.request_id = request_id
        self.body = body


class Unreachable(ProviderError):
    """The service could not be reached or kept failing until the call's deadline. Nothing was changed."""

    __module__ = "builtins"


class Uncertain(ProviderError):
    """A write was sent and no usable answer came back: it may have happened. Look the object up before repeating."""

    __module__ = "builtins"


class TimedOut(ProviderError):
    """A wait reached its deadline; the text says what it waited for and what it saw last."""

    __module__ = "builtins"


class Unexpected(ProviderError):
    """A defect: code raised something that is not a ProviderError. The text names the innermost line of the traceback."""

    __module__ = "builtins"


class Incomplete(ProviderError):
    """The object `id` exists with `state`, but it is not as it should be, for `reasons`.

    Raised by `Provider.ensure`, `sync` or `observe`: the engine records id and state, prints the reasons, skips what depends on
    the object, and calls `update` in the next `pulumi up`.
    """

    __module__ = "builtins"

    def __init__(self, id: str, state: object, *reasons: str) -> None:
        super().__init__("; ".join(reasons))
        self.id = id
        self.state = state
        self.reasons = reasons


class Text:
    """A text with places for values: `{name}`, as in `str.format`."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        self.message = message
        self.remedy = remedy

    def fill(self, **values: Any) -> tuple[str, str]:
        """Message and remedy with `values` in place."""
        return self.message.format(**values), self.remedy.format(**values)


class ErrorText(Text):
    """The text of an error. Calling it with the values makes the error, which the caller raises.

    `error` is the class to make. For a class with further arguments, call its constructor with what `fill` returns.
    """

    def __init__(self, message: str, *, remedy: str = "", error: type[ProviderError] = ProviderError) -> None:
        super().__init__(message, remedy=remedy)
        self.error = error

    def __call__(self, **values: Any) -> ProviderError:
        message, remedy = self.fill(**values)
        return self.error(message, remedy=remedy)


@dataclasses.dataclass(frozen=True)
class Problem:
    """What is wrong with the argument `key` of a resource (a stack's settings use it too, with their own keys)."""

    key: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


class ProblemText(Text):
    """The text of a problem with the argument `key`. Calling it with the values makes the problem."""

    def __init__(self, key: str, message: str, *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.key = key

    def __call__(self, **values: Any) -> Problem:
        return Problem(self.key, *self.fill(**values))
