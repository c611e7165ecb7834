"""How settings are spelled: one table of all keys whose values have a form or a range that nothing else checks.

A rule holds for a value that is not empty. The values that a vendor's object takes are checked by its provider, for example the
versions, languages and hostnames.
"""

import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import msgspec


class Rule(msgspec.Struct, frozen=True):
    """What a value has to be: `form` completes "must be"."""

    form: str
    fits: Callable[[str], object]


def is_url(text: str) -> bool:
    """Whether it is a complete http or https address."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.hostname) and parts.scheme in ("http", "https") and text.isascii() and " " not in text


def _like(pattern: str, form: str) -> Rule:
    return Rule(form, lambda text: re.fullmatch(pattern, text))


def _seconds(most: int) -> Rule:
    return Rule(f"0 to {most} seconds", lambda text: not is_whole(text) or int(text) <= most)


def is_whole(text: str) -> bool:
    """Whether it is a whole number of at most nine digits, without leading zeros."""
    return re.fullmatch(r"0|[1-9][0-9]{0,8}", text) is not None


LINE = _like(r"[^\n]{1,500}", "one line of at most 500 characters")
TITLE = _like(r"[^\n]{1,60}", "one line of at most 60 characters")
URL = Rule("a URL that begins with https:// or http://", is_url)
TOKEN = _like(r"[ -~]+", "one line of ASCII characters")
NAME = _like(r"[^\n]{1,100}", "one line of at most 100 characters")
REGION = _like(r"[a-z]{3}", "a region of Fly, three lower-case letters like sjc")

RULES: Mapping[str, Rule] = {
    "org": _like(
        r"[a-z0-9][a-z0-9-]{0,62}",
        "the slug of the organisation, which `fly orgs list` shows: small letters, digits, hyphens",
    ),
    "machine": _like(r"[a-z0-9][a-z0-9_-]{0,62}", "1 to 63 lower-case letters, digits, hyphens and underscores"),
    "image": LINE,
    "healthPath": _like(r"/[!-~]*", "a path that begins with a slash, without spaces"),
    "expectBody": LINE,
    "waitForDomain": _seconds(86_400),
    "waitForAppRecord": _seconds(86_400),
    "database.fromSnapshot": _like(r"vs_\w+", "the ID of a snapshot, which begins with vs_"),
    "database.server": _like(
        r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?", "1 to 63 lower-case letters, digits, hyphens and underscores"
    ),
    "database.name": _like(r"[a-z0-9][a-z0-9-]{0,62}", "1 to 63 lower-case letters, digits and hyphens"),
    "imageBuild.context": LINE,
    "monitoring.region": REGION,
    "monitoring.sinkUrl": URL,
    "monitoring.sinkUser": LINE,
    "monitoring.repository": URL,
    "sku": _like(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", "letters, digits, dots, hyphens and underscores"),
    "apiKey": _like(r"[A-Za-z][\w.-]{0,99}", "an Info.plist key: letters, digits, dots, hyphens and underscores"),
    "usageDescriptions": _like(r"(NS[A-Za-z]+UsageDescription\s*)*", "names like NSCameraUsageDescription"),
    "label": TITLE,
    "group": TITLE,
    "signing.profile": TITLE,
    "declaredBy": LINE,
    "withdrawn": LINE,
    "ipa": LINE,
    "flyToml": LINE,
    "environment": LINE,
    "smokeTest": LINE,
    "credentialsFile": LINE,
    "passEnvironment": LINE,
    "xcode.checkout": LINE,
    "xcode.workspace": LINE,
    "xcode.project": LINE,
    "xcode.scheme": LINE,
    "xcode.xcconfig": LINE,
    "xcode.exportOptions": LINE,
    "testers.firstName": NAME,
    "testers.lastName": NAME,
    "monitoringSecrets.metricsToken": TOKEN,
    "monitoringSecrets.sinkToken": TOKEN,
    "flyApiToken": TOKEN,
    "betterStackApiToken": TOKEN,
    "ascKeyId": _like(r"\w{1,40}", "letters and digits"),
    "ascIssuerId": _like(r"[\w-]{1,40}", "letters, digits and hyphens"),
    "ascPrivateKey": _like(r"(?s).*-----BEGIN .*PRIVATE KEY-----.*", "the text of the .p8 file, with its first line"),
    "endpoints.*": URL,
}
"""By key; `key.name` is one of an object, `key.*` each of it."""

MAY_BE_EMPTY = frozenset({"extensions"})
"""Keys of objects that can have empty values."""

_CONTROL = r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]"


def has_control_character(text: str) -> bool:
    """Whether it contains one of the characters that no setting contains, in a name or in a value."""
    # Most texts are printable, and it takes a third of a millisecond to compile the pattern.
    return not text.isprintable() and re.search(_CONTROL, text) is not None
