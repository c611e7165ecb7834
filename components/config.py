"""Stack configuration, read once, and all of its problems.

    config = StackConfig(values, secret_keys, project)
    org = config.text("org")
    config.refuse(NO_ORG(org=org))
    config.refuse_unread()
    config.problems        # [SettingProblem("org", …), …], empty if the configuration is valid

Defaults are only in Pulumi.yaml: the engine adds them to the values before the program runs. A missing value, or one of the wrong
type, is recorded as a problem, and an empty value is returned, so that reading continues and finds all problems. No problem shows
the value of an encrypted key.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Self

import msgspec
from msgspec.structs import replace

from components.spelling import MAY_BE_EMPTY, RULES, has_control_character, is_whole
from providers.errors import Problem, ProblemText


class Confidential(msgspec.Struct, frozen=True, kw_only=True):
    """Base of settings that contain secrets: a traceback that shows them shows no value."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


class SettingProblem(Problem, frozen=True):
    """What is wrong with a setting. `key` is `database.kind`, or `fly.toml` for a problem in that file."""

    place: str = ""
    """File and line, `fly.toml:12`, where there is one."""

    @property
    def declared_key(self) -> str:
        """The key as Pulumi.yaml declares it: `database` of `database.kind`."""
        return self.key.partition(".")[0].partition("[")[0]

    def in_project(self, project: str) -> Self:
        """With the key as the stack file of `project` writes it, `solos:database.kind`, unless there is a place."""
        return self if self.place else replace(self, key=f"{project}:{self.key}")

    def __str__(self) -> str:
        """One line, whatever the names in a stack file are."""
        return " ".join(f"{self.place or self.key}: {super().__str__()}".splitlines())


class SettingText(ProblemText):
    """The text of a problem with a setting. The key can contain placeholders too: `xcode.{name}`."""

    def __call__(self, *, place: str = "", **values: Any) -> SettingProblem:
        return SettingProblem(self.key.format(**values), *self.fill(**values), place=place)


MISSING = SettingText("{key}", "is missing", remedy="run `pulumi config set {key} VALUE --stack STACK`")
UNKNOWN = SettingText("{key}", "is unknown", remedy="did you mean {close}?")
UNKNOWN_OF = SettingText("{key}", "is unknown", remedy="known keys are {known}")
NOT_A_FLAG = SettingText("{key}", "must be true or false, not {value!r}")
NOT_A_NUMBER = SettingText("{key}", "must be a whole number, not {value!r}")
NO_VALUE = SettingText("{key}", "is null", remedy="set it, or remove it")
EMPTY = SettingText("{key}", "is empty", remedy="set it, or remove it")
MISSPELT = SettingText("{key}", "must be {form}, not {value!r}")
MISSPELT_SECRET = SettingText("{key}", "must be {form}")
CONTROL_CHARACTER = SettingText(
    "{key}", "contains a control character", remedy="write the value anew: it was copied with something invisible"
)
NOT_ONE_OF = SettingText("{key}", "must be {allowed}, not {value!r}")
NOT_A_LIST = SettingText("{key}", "must be a list")
NOT_AN_OBJECT = SettingText("{key}", "must be an object")
NOT_A_STRING = SettingText("{key}", "must be a string")
NOT_ENCRYPTED = SettingText(
    "{key}",
    "is not encrypted",
    remedy="set it with `pulumi config set --secret {key} --stack STACK`, and revoke the value that was readable",
)
NOT_ALL_ENCRYPTED = SettingText(
    "{key}",
    "is not encrypted",
    remedy="set each value with `pulumi config set --secret --path '{key}.NAME' --stack STACK`, and replace those that were readable",
)


class StackConfig:
    """The keys of a stack of `project`. `values` are as the engine passes them: every value is a string, objects are JSON.

    Here and in texts, keys are as Pulumi.yaml declares them, without the name of the project: `org`.
    """

    def __init__(self, values: Mapping[str, str], secret_keys: Collection[str], project: str) -> None:
        prefix = f"{project}:"
        self._values = {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
        self._secret = {key.removeprefix(prefix) for key in secret_keys}
        self._read: set[str] = set()
        self._objects: dict[str, Any] = {}
        """The values that are read as objects or lists."""
        self._misspelt: set[str] = set()
        """The keys that are not set, and that unknown ones are similar to."""
        self._problems: list[tuple[SettingProblem, Collection[str]]] = []

    @property
    def problems(self) -> list[SettingProblem]:
        """Those found so far, without those that are there only because a key is misspelt."""
        return [
            problem
            for problem, lacks in self._problems
            if not any(self._is_misspelt(key) for key in (problem.key, *lacks))
        ]

    def refuse(self, problem: SettingProblem, lacks: Collection[str] = ()) -> None:
        """Record a problem, and continue: the preview reports all of them together.

        `lacks` are other keys whose absence is the problem. If one of them is misspelt, its own problem is enough.
        """
        self._problems.append((problem, lacks))

    def refuse_all(self, key: str, problems: Iterable[Problem | str]) -> None:
        """Record the problems that a provider's `validate` finds with the value of `key`."""
        for item in problems:
            problem = Problem(key, item) if isinstance(item, str) else item
            self.refuse(SettingProblem(key, problem.message, problem.remedy))

    def refused(self, key: str) -> bool:
        """Whether a problem with `key` is already recorded."""
        return any(problem.declared_key == key for problem, _ in self._problems)

    def text(self, key: str) -> str:
        """The value of a required `key`."""
        value = self.optional(key)
        if not value:
            self.refuse(MISSING(key=key))
        return value

    def optional(self, key: str) -> str:
        """The value of `key`; empty if it is not set."""
        return self._take(key).strip()

    def flag(self, key: str) -> bool:
        """The value of a required boolean."""
        value = self.choice(key)
        if value is None and not self.refused(key):
            self.refuse(MISSING(key=key))
        return bool(value)

    def refuse_other(self, key: str, value: str, allowed: Iterable[str]) -> None:
        """Record that `value` of `key` is not one of those that are allowed."""
        *others, last = allowed
        self.refuse(NOT_ONE_OF(key=key, allowed=f"{', '.join(others)} or {last}", value=value))

    def choice(self, key: str) -> bool | None:
        """The value of an optional boolean; None if it is empty."""
        value = self._take(key)
        if value not in ("", "true", "false"):
            self.refuse(NOT_A_FLAG(key=key, value=value))
        return value == "true" if value else None

    def flag_in(self, key: str, given: Mapping[str, str], name: str, *, default: bool) -> bool:
        """The flag `name` of the object `key`, all of whose values are strings."""
        value = given.get(name, "true" if default else "false")
        if value not in ("true", "false"):
            self.refuse(NOT_A_FLAG(key=f"{key}.{name}", value=value))
        return value == "true"

    def whole(self, key: str) -> int:
        """A whole number, 0 or more."""
        value = self.text(key)
        if value and not is_whole(value):
            self.refuse(NOT_A_NUMBER(key=key, value=value))
        return int(value) if is_whole(value) else 0

    def whole_in(self, key: str, given: Mapping[str, str], name: str, *, default: int) -> int:
        """The whole number `name` of the object `key`."""
        value = given.get(name, str(default))
        if not is_whole(value):
            self.refuse(NOT_A_NUMBER(key=f"{key}.{name}", value=value))
            return default
        return int(value)

    def table(self, key: str, allowed: Collection[str] | None = None) -> dict[str, str]:
        """An object whose values are strings. Names that are not `allowed` are refused."""
        return self._strings(key, self._json(key, dict), allowed)

    def tables(self, key: str, allowed: Collection[str]) -> list[dict[str, str]]:
        """A list of objects like that of `table`."""
        return [self._strings(f"{key}[{index}]", item, allowed) for index, item in enumerate(self._json(key, list))]

    def nested(self, key: str) -> dict[str, dict[str, str]]:
        """An object whose values are objects like that of `table`."""
        return {name: self._strings(f"{key}.{name}", values, None) for name, values in self._json(key, dict).items()}

    def secret(self, key: str) -> str:
        """A value that has to be encrypted; empty when it is not set."""
        value = self._take(key)
        if value and key not in self._secret:
            self.refuse(NOT_ENCRYPTED(key=key))
        return value

    def secrets(self, key: str, allowed: Collection[str] | None = None) -> dict[str, str]:
        """An object of strings that has to be encrypted."""
        values = self.table(key, allowed)
        if values and key not in self._secret:
            self.refuse(NOT_ALL_ENCRYPTED(key=key))
        return values

    def refuse_misspelt(self) -> None:
        """Refuse the values that break a rule of `spelling`, unless a problem with their key is known."""
        known = {problem.key for problem in self.problems}
        for key, value in self._texts():
            first, dot, _ = key.partition(".")
            first = first.partition("[")[0]
            rule = RULES.get(re.sub(r"\[\d+\]", "", key)) or (RULES.get(f"{first}.*") if dot else None)
            if key in known or first in known:
                continue
            if has_control_character(key + value):
                self.refuse(CONTROL_CHARACTER(key=key))
            elif value == "null":
                self.refuse(NO_VALUE(key=key))
            elif dot and not value.strip() and first not in MAY_BE_EMPTY:
                self.refuse(EMPTY(key=key))
            elif rule and value.strip() and not rule.fits(value.strip()):
                text = MISSPELT_SECRET if first in self._secret else MISSPELT
                self.refuse(text(key=key, form=rule.form, value=value))

    def is_misspelt(self, key: str, value: str) -> bool:
        """Whether `value` cannot be used as the value of `key`; `refuse_misspelt` reports it."""
        return has_control_character(value) or not RULES[key].fits(value)

    def _texts(self) -> Iterator[tuple[str, str]]:
        """All keys that are read and their values; `key.name` for one of an object."""
        for key in sorted(self._read & self._values.keys()):
            yield from _texts_in(key, self._objects.get(key, self._values[key]))

    def refuse_unread(self) -> None:
        """Refuse every key that was not read: most are misspelt."""
        for key in sorted(self._values.keys() - self._read):
            self._refuse_unknown("", key, self._values, self._read)

    def _refuse_unknown(self, prefix: str, name: str, values: Collection[str], known: Collection[str]) -> None:
        """Refuse the key `prefix` + `name`, which is not among the `known` ones of the same object, whose keys are `values`."""
        import difflib

        key = prefix + name
        similar = difflib.get_close_matches(name, known, n=1)
        for close in similar:
            self.refuse(UNKNOWN(key=key, close=close))
            if close not in values:
                self._misspelt.add(prefix + close)
        if not similar:
            self.refuse(UNKNOWN_OF(key=key, known=", ".join(sorted(known))))

    def _is_misspelt(self, key: str) -> bool:
        """Whether `key`, or the object around it, is set under a misspelt name only."""
        ends = [match.start() for match in re.finditer(r"[.\[]", key)]
        return any(key[:end] in self._misspelt for end in (*ends, len(key)))

    def _take(self, key: str) -> str:
        self._read.add(key)
        return str(self._values.get(key) or "")

    def _json(self, key: str, kind: type) -> Any:
        text = self._take(key)
        value = _parsed(text) if text else kind()
        if isinstance(value, kind):
            self._objects[key] = value
            return value
        self.refuse((NOT_A_LIST if kind is list else NOT_AN_OBJECT)(key=key))
        return kind()

    def _strings(self, key: str, values: Any, allowed: Collection[str] | None) -> dict[str, str]:
        if not isinstance(values, dict):
            self.refuse(NOT_AN_OBJECT(key=key))
            return {}
        strings = {}
        for name, value in values.items():
            if allowed is not None and name not in allowed:
                self._refuse_unknown(f"{key}.", name, values, allowed)
            elif not isinstance(value, str | bool | int | float):
                self.refuse(NOT_A_STRING(key=f"{key}.{name}"))
            else:  # `pulumi config set --path` stores 45 as a number, and true as a boolean.
                strings[name] = value if isinstance(value, str) else json.dumps(value)
        return strings


def _parsed(text: str) -> Any:
    """The JSON value; None for a text that is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _texts_in(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _texts_in(f"{key}.{name}", item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts_in(f"{key}[{index}]", item)
    else:
        yield key, value if isinstance(value, str) else json.dumps(value)
