"""The `random:` resources that the program and the tests use, with the semantics of pulumi-random 4.21: a value is generated
once and kept; a changed input replaces the resource. The output `RandomPassword.bcryptHash` is missing.
"""

import secrets
import string
from collections.abc import Callable

from rehearsal.engine.plugins import Diff
from rehearsal.engine.values import Properties, difference

ADJECTIVES = """able apt bold brave brief bright calm clean clear cool crisp deep eager early easy fair fast fine firm fond fresh
frank game glad good grand happy just keen kind large lasting light live lucky many mint model neat nice noble novel open
polite prime proud quick quiet rapid rare ready real rich right round safe sharp simple smart smooth sound square star steady
still strong suited sunny sure sweet swift tidy tight tough true upright usable valid vast vital warm whole wise witty"""
ANIMALS = """ant ape asp bass bat bear bee bird bison boar buck bull camel cat chow clam cobra cod colt cow crab crane crow cub
deer dog dove drake duck eagle eel egret elf elk emu ewe falcon fawn finch fish flea fly foal fowl fox frog gar gnat goat
goose grub gull hare hawk hen hog horse hound jay kit kite koi lamb lark lion llama loon lynx mako man mink mole moose moth
mouse mule newt orca oryx owl ox panda perch pig pika pony prawn pug quail ram rat ray robin seal shad shark sheep shrew
skink sloth slug snail snake snipe squid stag stork swan tapir tern tick toad trout turtle viper vole wasp whale wolf worm yak"""
SPECIAL = "!@#$%&*()-_=+[]{}<>:?"


class RandomPlugin:
    """Serves `RandomPet`, `RandomPassword` and `RandomString`."""

    def check(self, urn: str, olds: Properties, news: Properties) -> tuple[Properties, list[str]]:
        known = _maker(urn)
        return news, [] if known else [f"the embedded engine does not serve {_type(urn)}"]

    def diff(self, urn: str, id: str, old_inputs: Properties, olds: Properties, news: Properties) -> Diff:
        changed = sorted({path.partition(".")[0] for path, _, _ in difference(old_inputs, news)})
        return Diff(bool(changed), changed)

    def create(self, urn: str, inputs: Properties) -> tuple[str, Properties]:
        maker = _maker(urn)
        assert maker is not None
        id, made = maker(inputs)
        return id, {**inputs, **made, "id": id}

    def update(self, urn: str, id: str, old_inputs: Properties, olds: Properties, news: Properties) -> Properties:
        return {**olds, **news}

    def read(self, urn: str, id: str, inputs: Properties, outputs: Properties) -> tuple[str, Properties, Properties]:
        return id, inputs, outputs

    def delete(self, urn: str, id: str, inputs: Properties, outputs: Properties) -> None:
        pass

    def close(self) -> None:
        pass


def _type(urn: str) -> str:
    return urn.rpartition("::")[0].rpartition("::")[2].rpartition("$")[2]


def _maker(urn: str) -> Callable[[Properties], tuple[str, Properties]] | None:
    return {
        "random:index/randomPet:RandomPet": _pet,
        "random:index/randomPassword:RandomPassword": _password,
        "random:index/randomString:RandomString": _text,
    }.get(_type(urn))


def _pet(inputs: Properties) -> tuple[str, Properties]:
    separator = inputs.get("separator", "-")
    length = int(inputs.get("length", 2))
    words = [secrets.choice(ADJECTIVES.split()) for _ in range(length - 1)] + [secrets.choice(ANIMALS.split())]
    name = separator.join([*([inputs["prefix"]] if inputs.get("prefix") else []), *words])
    return name, {"length": length, "separator": separator}


def _password(inputs: Properties) -> tuple[str, Properties]:
    return "none", {"result": _characters(inputs)}


def _text(inputs: Properties) -> tuple[str, Properties]:
    text = _characters(inputs)
    return text, {"result": text}


def _characters(inputs: Properties) -> str:
    kinds = {
        "Lower": string.ascii_lowercase,
        "Upper": string.ascii_uppercase,
        "Numeric": string.digits,
        "Special": inputs.get("overrideSpecial") or SPECIAL,
    }
    allowed = {name: characters for name, characters in kinds.items() if inputs.get(name.lower(), True)}
    chosen = [
        secrets.choice(characters)
        for name, characters in allowed.items()
        for _ in range(int(inputs.get(f"min{name}", 0)))
    ]
    chosen += [secrets.choice("".join(allowed.values())) for _ in range(int(inputs["length"]) - len(chosen))]
    secrets.SystemRandom().shuffle(chosen)
    return "".join(chosen)
