"""The errors that people see, and the tree they hang from.

    ProviderError            one line: what happened, to which object, why, and what to do
    ├── ApiError             the vendor refused a call (fly/ and appstore/ refine it by situation)
    ├── Unreachable          no usable answer came, and repeating the call is safe
    ├── Uncertain            a write got no usable answer: it may or may not have happened, so look before repeating
    ├── TimedOut             a wait reached its deadline
    ├── Incomplete           the object exists but is not as it should be; the engine keeps it and comes back to it
    └── Unexpected           a defect in a provider, told with the place in the code

No text in here, or made from here, contains a secret.
"""

from collections.abc import Sequence


class ProviderError(Exception):
    """Base of everything a provider raises on purpose. `str(error)` is the one line that a person reads."""

    # Python prints "<module>.<Class>: <message>"; builtins have no module, so people read "ApiError: <message>".
    __module__ = "builtins"


class ApiError(ProviderError):
    """A vendor answered with an error. `status` is the HTTP status, `codes` the vendor's own codes (may be empty),
    `request_id` what the vendor's support asks for, `body` the answer's text, shortened."""

    __module__ = "builtins"

    def __init__(
        self, message: str, *, status: int, codes: Sequence[str] = (), request_id: str = "", body: str = ""
    ) -> None:
        super().__init__(message)
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
    """A wait ended at its deadline; the text says what was waited for and what was last seen."""

    __module__ = "builtins"


class Unexpected(ProviderError):
    """A defect: something raised that is no ProviderError. The text holds the innermost lines of the traceback."""

    __module__ = "builtins"


class Incomplete(ProviderError):
    """The object `id` exists with `state`, but for `reasons` it is not as it should be.

    Raised by `Provider.ensure`, `sync` or `observe`: the engine records id and state, prints the reasons, stops what
    depends on the object, and calls `update` on the next `up`.
    """

    __module__ = "builtins"

    def __init__(self, id: str, state: object, *reasons: str) -> None:
        super().__init__("; ".join(reasons))
        self.id = id
        self.state = state
        self.reasons = reasons
