"""Looks up the endpoint and the credentials of a provider, at the time of a call.

`refresh` and `destroy` pass the configuration of the last `up` to providers, but environment variables are current. So a credential
is looked up in the environment first, then in the (encrypted) stack configuration, then in the JSON file that the config key
`credentialsFile` names.
"""

import json
import os
import re
from pathlib import Path

from pulumi.dynamic import Config

from providers.errors import ErrorText

URL = r"https?://[^\s/]+(?:/\S*)?"

MISSING = ErrorText(
    "{what} is missing",
    remedy="set the environment variable {variable}, or run `pulumi config set --secret {key} --stack STACK`",
)
UNREADABLE = ErrorText(
    "cannot read the credential file {path}: {reason}", remedy="fix the path or the file's permissions"
)
NOT_TEXT = ErrorText(
    "the credential file {path} is not a text file",
    remedy="name the file as it was downloaded; a key is PEM text that begins with -----BEGIN",
)
NO_SCHEME = ErrorText(
    "the endpoint {name} is '{address}', which is not a URL",
    remedy="write it with http:// or https:// in the config key endpoints",
)
NOT_JSON = ErrorText(
    "the credential file {path} is not a JSON object", remedy="fix the file, or the config key credentialsFile"
)


def endpoint(config: Config, name: str, default: str) -> str:
    """The base URL for `name` in the config object `endpoints`, else `default`, without a trailing slash.

    Raises ProviderError if it is not an http(s) URL.
    """
    text = config.get("endpoints")
    endpoints = json.loads(text) if text else {}
    address = str(endpoints.get(name) or default).rstrip("/")
    if address and not re.fullmatch(URL, address):
        raise NO_SCHEME(name=name, address=address)
    return address


def credential(config: Config, variable: str, key: str, what: str) -> str:
    """The first that is set: the environment variable `variable`, the content of the file at `<variable>_PATH`, the config key `key`,
    `variable` in the credentials file.

    Raises ProviderError if none is set; its text says where to set it.
    """
    found = optional_credential(config, variable, key)
    if not found:
        raise MISSING(what=what, variable=variable, key=key)
    return found


def optional_credential(config: Config, variable: str, key: str) -> str:
    """Like `credential`, but returns an empty string if none is set."""
    found = (
        os.environ.get(variable)
        or _from_file(os.environ.get(f"{variable}_PATH"))
        or config.get(key)
        or _from_credentials(config.get("credentialsFile"), variable)
    )
    return str(found or "").strip()


def _from_file(path: str | None) -> str | None:
    if not path:
        return None
    try:
        return Path(path).expanduser().read_text()
    except OSError as error:
        raise UNREADABLE(path=path, reason=error.strerror) from None
    except UnicodeDecodeError:
        raise NOT_TEXT(path=path) from None


def _from_credentials(path: str | None, variable: str) -> str | None:
    text = _from_file(path)
    if not text:
        return None
    try:
        found = json.loads(text).get(variable)
    except (ValueError, AttributeError):
        raise NOT_JSON(path=path) from None
    return str(found) if found else None
