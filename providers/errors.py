"""The errors that people see.

    ProviderError            one line: what happened, to which object, why, and what to do
    ├── ApiError             the vendor refused a call (fly/ and appstore/ refine it by situation)
    ├── Unreachable          no usable response; repeating the call is safe
    ├── Uncertain            a write without a usable response: it may have happened, so look the object up before repeating it
    ├── TimedOut             a wait reached its deadline
    ├── Incomplete           the object exists but is not as it should be; the engine records it and calls update next time
    └── Unexpected           a bug in a provider, with the line of code

    Problem                  one thing that is wrong with the arguments of a resource, found before any call

Texts are constants of the module that reports them, so that they can be listed (infra-docs/ERRORS.md is made from them):

    GONE = ErrorText("machine {id} of app {app} does not exist", remedy="run `pulumi refresh`, then `pulumi up`")
    ...
    raise GONE(id=id, app=args.app)

No text contains a secret.
"""

from collections.abc import Sequence
from typing import Any

import msgspec


class ProviderError(Exception):
    """Base of the errors that providers raise on purpose. `str(error)` is the one line that a person reads: `message`, which says
    what happened, to which object and why, then `remedy`, which says what to do."""

    # Python prints "<module>.<Class>: <message>"; builtins have no module, so people read "ApiError: <message>".
    __module__ = "builtins"

    remedy: str = ""
    """The default of the class, if all of its errors have the same remedy."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        self.message = message
        self.remedy = remedy or self.remedy
        super().__init__(f"{message}; {self.remedy}" if self.remedy else message)


class ApiError(ProviderError):
    """A vendor returned an error. `status` is the HTTP status, `codes` the vendor's own codes (may be empty), `request_id` what the
    vendor's support asks for, `body` the response's text, shortened."""

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
    """A write was sent and got no usable response: it may have happened. Look the object up before repeating it."""

    __module__ = "builtins"


class TimedOut(ProviderError):
    """A wait reached its deadline; the text says what it waited for and what it saw last."""

    __module__ = "builtins"


class Unexpected(ProviderError):
    """A bug: the code raised something other than a ProviderError. The text names the innermost line of the traceback."""

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
    """A text with placeholders, as in `str.format`: `{name}`."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        self.message = message
        self.remedy = remedy

    def fill(self, **values: object) -> tuple[str, str]:
        """Message and remedy with `values` filled in."""
        return self.message.format(**values), self.remedy.format(**values)


class ErrorText(Text):
    """The text of an error. Calling it with the values returns the error, which the caller raises.

    `error` is the class of the error. For a class with further arguments, call its constructor with the result of `fill`.
    """

    def __init__(self, message: str, *, remedy: str = "", error: type[ProviderError] = ProviderError) -> None:
        super().__init__(message, remedy=remedy)
        self.error = error

    def __call__(self, **values: object) -> ProviderError:
        message, remedy = self.fill(**values)
        return self.error(message, remedy=remedy)


class Problem(msgspec.Struct, frozen=True):
    """A problem with the argument `key` of a resource. The stack's settings use it too, with config keys."""

    key: str
    message: str
    remedy: str = ""
    is_warning: bool = False
    """Whether it is shown, and stops nothing."""

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


class ProblemText(Text):
    """The text of a problem with the argument `key`. Calling it with the values returns the problem."""

    def __init__(self, key: str, message: str, *, remedy: str = "", is_warning: bool = False) -> None:
        super().__init__(message, remedy=remedy)
        self.key = key
        self.is_warning = is_warning

    def __call__(self, **values: Any) -> Problem:
        return Problem(self.key, *self.fill(**values), is_warning=self.is_warning)
