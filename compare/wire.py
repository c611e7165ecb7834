"""Sends the calls of a script, one at a time, and returns raw answers.

Not with `providers.http`: its retries would hide a refusal, and its decoders a field. Every write has to pass the script's guard.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

ATTEMPT_SECONDS = 75.0
"""Longer than the longest call: Fly's `wait` and `exec` take up to 60 s."""
THROTTLED_SECONDS = (5.0, 15.0, 45.0)
"""The pauses after answers with 429."""
CLEANING_CALLS = 100
CLEANING_SECONDS = 600.0
"""What is left of the budget for deleting, once the script has used up its own."""


class Clock(Protocol):
    def now(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class OverBudget(Exception):
    """The run has used up its calls or minutes."""


class NotOurs(Exception):
    """A step of a script would write to an object that the tool has not made. Nothing was sent."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """`path` begins with a slash and contains the query."""

    api: str
    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    auth: str = ""
    """Empty for the credentials of the account, `none`, or `wrong`."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    """0 if no answer came."""
    headers: Mapping[str, str]
    content: bytes
    seconds: float
    """Until the answer."""

    def json(self) -> Any:
        """The body, or None if it is not JSON."""
        try:
            return json.loads(self.content)
        except ValueError:
            return None

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True)
class Api:
    """`authorize` returns the Authorization header."""

    url: str
    authorize: Callable[[], str]


@dataclass
class Budget:
    calls: int
    minutes: float


class Wire:
    """The connection to one vendor, or to its double."""

    def __init__(
        self,
        apis: Mapping[str, Api],
        transport: httpx.BaseTransport,
        clock: Clock,
        *,
        budget: Budget,
        may_write: Callable[[Call, set[str]], bool],
        pace: float,
    ) -> None:
        """`may_write(call, ours)` is the guard of the script. `pace` is the least number of seconds between two calls."""
        self.clock = clock
        self.calls = 0
        self.throttled = 0
        """How many calls were repeated because of a rate limit."""
        self.ours: set[str] = set()
        """The ids of what the tool has made."""
        self._apis, self._transport, self._may_write, self._pace = apis, transport, may_write, pace
        self._calls_left, self._deadline = budget.calls, clock.now() + budget.minutes * 60
        self._sent_at = clock.now() - pace
        self._cookies = httpx.Cookies()
        """As `providers.http` keeps them: Fly binds a client to one of its servers by a cookie."""

    def begin_cleaning(self) -> None:
        """Add what is reserved for deleting to the budget."""
        self._calls_left += CLEANING_CALLS
        self._deadline = max(self._deadline, self.clock.now()) + CLEANING_SECONDS

    def send(self, call: Call) -> Answer:
        """The answer to the call, which is repeated only after a 429. Raises OverBudget and NotOurs."""
        if call.method not in ("GET", "HEAD") and not self._may_write(call, self.ours):
            raise NotOurs(f"{call.method} {call.path}")
        for pause in (*THROTTLED_SECONDS, None):
            answer = self._attempt(call)
            if answer.status != 429 or pause is None:
                break
            self.throttled += 1
            self.clock.sleep(pause)
        if call.method == "POST" and answer.is_success:
            self._remember(answer.json())
        return answer

    def _attempt(self, call: Call) -> Answer:
        if self._calls_left <= 0 or self.clock.now() > self._deadline:
            raise OverBudget
        self.clock.sleep(max(0.0, self._sent_at + self._pace - self.clock.now()))
        self._calls_left -= 1
        self.calls += 1
        self._sent_at = self.clock.now()
        request = self._request(call)
        if self._cookies:
            self._cookies.set_cookie_header(request)
        try:
            response = self._transport.handle_request(request)
            content = response.read()
            response.close()
        except httpx.RequestError:
            return Answer(status=0, headers={}, content=b"", seconds=self.clock.now() - self._sent_at)
        if "set-cookie" in response.headers:
            response.request = request
            self._cookies.extract_cookies(response)
        headers = {name.lower(): value for name, value in response.headers.items()}
        seconds = self.clock.now() - self._sent_at
        return Answer(status=response.status_code, headers=headers, content=content, seconds=seconds)

    def _request(self, call: Call) -> httpx.Request:
        api = self._apis[call.api]
        authorization = {"none": "", "wrong": "Bearer not-a-token"}.get(call.auth) if call.auth else api.authorize()
        return httpx.Request(
            call.method,
            api.url + call.path,
            json=call.body,
            headers={**({"Authorization": authorization} if authorization else {}), **call.headers},
            extensions={"timeout": httpx.Timeout(ATTEMPT_SECONDS, connect=10.0).as_dict()},
        )

    def _remember(self, made: Any) -> None:
        """Note the id of what a create has made: at Fly in the object or in an envelope, at Apple in `data`."""
        if not isinstance(made, dict):
            return
        for shown in (made, made.get("data"), made.get("release")):
            if isinstance(shown, dict) and isinstance(shown.get("id"), str | int):
                self.ours.add(str(shown["id"]))
