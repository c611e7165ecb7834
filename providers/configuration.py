"""Where a provider finds its endpoint and its credentials, at the time of the call.

`refresh` and `destroy` hand providers the configuration of the last `up`; environment variables are always today's.
So a credential is looked for in the environment first and in the (encrypted) stack configuration second; last in the JSON file
that the configuration names as `credentialsFile`, which is read at the time of the call too.
"""

import json
import os
from pathlib import Path

from pulumi.dynamic import Config

from providers.errors import ProviderError


def endpoint(config: Config, name: str, default: str) -> str:
    """The base address that the config object `endpoints` gives for `name`, without a trailing slash; else `default`."""
    text = config.get("endpoints")
    endpoints = json.loads(text) if text else {}
    return str(endpoints.get(name) or default).rstrip("/")


def credential(config: Config, variable: str, key: str, what: str) -> str:
    """The value of environment variable `variable`, the content of the file that `<variable>_PATH` names, config `key`, or
    `variable` in the credentials file.

    Raises ProviderError, naming where it could be, when there is none.
    """
    found = optional_credential(config, variable, key)
    if not found:
        raise ProviderError(
            f"{what} is missing: set the environment variable {variable}, or run `pulumi config set --secret {key}`"
        )
    return found


def optional_credential(config: Config, variable: str, key: str) -> str:
    """The same, empty when there is none."""
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
        raise ProviderError(f"cannot read {path}: {error.strerror}; it should hold a credential") from None


def _from_credentials(path: str | None, variable: str) -> str | None:
    text = _from_file(path)
    if not text:
        return None
    try:
        found = json.loads(text).get(variable)
    except (ValueError, AttributeError):
        raise ProviderError(f"{path} is no JSON object of credentials: correct it, or config credentialsFile") from None
    return str(found) if found else None
