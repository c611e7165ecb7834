"""Stack configuration, read once with everything that is wrong with it.

    config = StackConfig(values, secret_keys)
    org = config.text("org")
    config.refuse("org", "must be …")
    config.refuse_unread()
    config.problems        # ["solos:org is missing: …", …], empty when all is well

A value that is missing or of the wrong type is noted, and something harmless is answered, so that reading goes on and all
problems are told at once. No problem shows a value of an encrypted key.
"""

import difflib
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from providers.errors import Problem

PROJECT = "solos"


class StackConfig:
    """The keys `solos:…` of a stack. `values` are as the engine hands them over: every value a string, objects as JSON."""

    def __init__(self, values: Mapping[str, str], secret_keys: Collection[str] = ()) -> None:
        prefix = f"{PROJECT}:"
        self._values = {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
        self._secret = {key.removeprefix(prefix) for key in secret_keys}
        self._read: set[str] = set()
        self.problems: list[str] = []

    def refuse(self, key: str, problem: str) -> None:
        """Note what is wrong with `key`."""
        self.problems.append(f"{PROJECT}:{key}: {problem}")

    def refuse_all(self, key: str, problems: Iterable[Problem | str]) -> None:
        """Note everything that a provider finds wrong with `key`."""
        for problem in problems:
            self.refuse(key, str(problem))

    def text(self, key: str, default: str | None = None) -> str:
        """The text of `key`. Without a `default` it may not be missing or empty."""
        value = self._take(key).strip()
        if not value and default is None:
            self.refuse(key, f"is missing; set it with `pulumi config set {key} VALUE`")
        return value or default or ""

    def flag(self, key: str, default: bool) -> bool:
        value = self.choice(key)
        return default if value is None else value

    def choice(self, key: str) -> bool | None:
        """True or false, None where nobody has decided."""
        value = self._take(key)
        if value not in ("", "true", "false"):
            self.refuse(key, f"must be true or false, not {value!r}")
        return value == "true" if value else None

    def flag_in(self, key: str, given: Mapping[str, str], name: str, *, default: bool) -> bool:
        """The same of one entry of the object `key`, all of whose values are texts."""
        value = given.get(name, "true" if default else "false")
        if value not in ("true", "false"):
            self.refuse(f"{key}.{name}", f'must be "true" or "false", not {value!r}')
        return value == "true"

    def whole(self, key: str, default: int) -> int:
        """A whole number, 0 or more."""
        value = self._take(key)
        if value and not value.isdecimal():
            self.refuse(key, f"must be a whole number, not {value!r}")
            return default
        return int(value or default)

    def table(self, key: str, allowed: Collection[str] | None = None) -> dict[str, str]:
        """An object of texts. Keys that are not `allowed` are refused."""
        return self._texts(key, self._json(key, dict), allowed)

    def tables(self, key: str, allowed: Collection[str]) -> list[dict[str, str]]:
        """A list of objects of texts."""
        return [self._texts(f"{key}[{index}]", item, allowed) for index, item in enumerate(self._json(key, list))]

    def nested(self, key: str) -> dict[str, dict[str, str]]:
        """An object of objects of texts."""
        return {name: self._texts(f"{key}.{name}", values, None) for name, values in self._json(key, dict).items()}

    def secret(self, key: str) -> str:
        """A value that may only be there in encrypted form; empty when it is not there."""
        value = self._take(key)
        if value and key not in self._secret:
            self.refuse(key, f"is readable by everybody; encrypt it: `pulumi config set --secret {key}`, and change it")
        return value

    def is_secret(self, key: str) -> bool:
        return key in self._secret

    def refuse_unread(self) -> None:
        """Refuse every key that nothing has asked for: most are misspelt."""
        for key in sorted(self._values.keys() - self._read):
            self.refuse(key, f"is unknown{_did_you_mean(key, self._read)}")

    def _take(self, key: str) -> str:
        self._read.add(key)
        return str(self._values.get(key) or "")

    def _json(self, key: str, kind: type) -> Any:
        text = self._take(key)
        try:
            value = json.loads(text) if text else kind()
        except ValueError:
            value = None
        if isinstance(value, kind):
            return value
        self.refuse(key, f"must be {'a list' if kind is list else 'an object'}")
        return kind()

    def _texts(self, where: str, values: Any, allowed: Collection[str] | None) -> dict[str, str]:
        if not isinstance(values, dict):
            self.refuse(where, "must be an object")
            return {}
        texts = {}
        for name, value in values.items():
            if allowed is not None and name not in allowed:
                self.refuse(f"{where}.{name}", f"is unknown{_did_you_mean(name, allowed)}")
            elif not isinstance(value, str | bool | int | float):
                self.refuse(f"{where}.{name}", "must be a text")
            else:  # `pulumi config set --path` makes a number of 45, and a boolean of true.
                texts[name] = value if isinstance(value, str) else json.dumps(value)
        return texts


def _did_you_mean(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(sorted(known))}"
