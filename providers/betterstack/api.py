"""The Uptime API of Better Stack: its monitors, which request a URL from outside of Fly.

https://betterstack.com/docs/uptime/api/monitors/
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import msgspec
from pulumi.dynamic import Config

from providers import configuration
from providers.creation import create_idempotent
from providers.decoding import require
from providers.errors import ApiError, ErrorText, ProviderError
from providers.http import Http

if TYPE_CHECKING:
    import httpx

UPTIME_API = "https://uptime.betterstack.com"
MONITORS = "/api/v2/monitors"
PER_PAGE, MAX_PAGES = 250, 40
ENDLESS = f"has more than {MAX_PAGES} pages"

Status = Literal["pending", "up", "down", "validating", "paused", "maintenance"]


class BetterStackError(ApiError):
    """Better Stack refused."""

    __module__ = "builtins"


def _refusal(remedy: str) -> ErrorText:
    return ErrorText("Better Stack refused to {doing}: {reason} (HTTP {status})", remedy=remedy, error=BetterStackError)


BAD_TOKEN = _refusal(
    "copy the Uptime API token of your team (Better Stack, API tokens), and set BETTERSTACK_API_TOKEN to it"
)
REFUSED = _refusal("fix what Better Stack names, then run `pulumi up` again")


class Attributes(msgspec.Struct, kw_only=True):
    """What a monitor requests, how often, and what is wrong. Who is notified is set on the website, and is not read."""

    url: str
    pronounceable_name: str
    monitor_type: str
    check_frequency: int
    """Seconds between two checks."""
    status: Status
    confirmation_period: int | None = None
    """Seconds for which it has to fail before there is an incident."""
    expected_status_codes: list[int] | None = None
    follow_redirects: bool | None = None
    verify_ssl: bool | None = None


class Monitor(msgspec.Struct, kw_only=True):
    id: str
    attributes: Attributes

    def __post_init__(self) -> None:
        require(self.id, "has a monitor without an id")


class One(msgspec.Struct, kw_only=True):
    data: Monitor


class Pagination(msgspec.Struct, kw_only=True):
    next: str | None = None


class Page(msgspec.Struct, kw_only=True):
    data: list[Monitor]
    pagination: Pagination


class BetterStack:
    """The API with the current token. Cheap to make."""

    def __init__(self, config: Config) -> None:
        token = configuration.credential(
            config, "BETTERSTACK_API_TOKEN", "betterStackApiToken", "the API token of Better Stack"
        )
        self._http = Http(
            configuration.endpoint(config, "betterStack", UPTIME_API),
            service="Better Stack",
            authorize=lambda _again: f"Bearer {token}",
            explain=_explain,
        )

    def find(self, name: str) -> Monitor | None:
        """The monitor of exactly that name: whether the filter also returns similar names is not documented."""
        doing = f"look up the monitor '{name}'"
        for page in range(1, MAX_PAGES + 1):
            params = {"pronounceable_name": name, "per_page": PER_PAGE, "page": page}
            response = self._http.request("GET", MONITORS, doing=doing, params=params)
            listed = self._http.decode(response, Page, doing)
            found = next((each for each in listed.data if each.attributes.pronounceable_name == name), None)
            if found or not listed.pagination.next:
                return found
        raise self._http.call_of(response, doing).unreadable(ENDLESS)

    def get(self, id: str) -> Monitor | None:
        doing = f"read monitor {id}"
        response = self._http.request("GET", f"{MONITORS}/{id}", doing=doing, accept=(404,))
        return None if response.status_code == 404 else self._http.decode(response, One, doing).data

    def create(self, values: Mapping[str, object]) -> Monitor:
        """Create a monitor, once: after a lost response it is looked up by its name."""
        name = str(values["pronounceable_name"])
        doing = f"create the monitor '{name}'"

        def post() -> Monitor:
            response = self._http.request("POST", MONITORS, doing=doing, json=values)
            return self._http.decode(response, One, doing, wrote=True).data

        return create_idempotent(post, lambda: self.find(name), what=f"the monitor '{name}'")

    def update(self, id: str, values: Mapping[str, object]) -> Monitor:
        doing = f"change monitor {id}"
        response = self._http.request("PATCH", f"{MONITORS}/{id}", doing=doing, json=values, safe=True)
        return self._http.decode(response, One, doing).data

    def delete(self, id: str) -> None:
        """Succeeds if there is no such monitor."""
        self._http.request("DELETE", f"{MONITORS}/{id}", doing=f"delete monitor {id}", safe=True, accept=(404,))


def _explain(response: "httpx.Response", doing: str) -> ProviderError:
    text = BAD_TOKEN if response.status_code in (401, 403) else REFUSED
    reason = _reason(response)
    message, remedy = text.fill(doing=doing, reason=reason, status=response.status_code)
    return BetterStackError(message, remedy=remedy, status=response.status_code, body=reason)


def _reason(response: "httpx.Response") -> str:
    """What Better Stack gives as the reason, in one line: a sentence, or sentences by attribute."""
    try:
        reason = json.loads(response.content)["errors"]
    except (ValueError, RecursionError, LookupError, TypeError):
        reason = None
    if isinstance(reason, dict):
        reason = "; ".join(
            f"{name} {sentence}"
            for name, sentences in reason.items()
            for sentence in (sentences if isinstance(sentences, list) else [sentences])
            if isinstance(sentence, str)
        )
    return " ".join(reason.split())[:300] if isinstance(reason, str) and reason else "no reason given"
