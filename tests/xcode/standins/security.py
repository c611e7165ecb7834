"""Stands in for macOS's `security`: keychains are JSON files, and what the real one refuses is refused."""

import hashlib
import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

MAC = Path(os.environ["MAC"])
PBES2 = bytes.fromhex("2a864886f70d01050d")


def main(arguments: list[str]) -> int:
    with (MAC / "arguments").open("a") as file:
        file.write(shlex.join(["security", *arguments]) + "\n")
    if arguments != ["-i"]:
        return run(arguments)
    status = 0
    for line in sys.stdin:
        status = run(shlex.split(line))
    return status


def run(command: list[str]) -> int:
    name, rest = command[0], command[1:]
    try:
        return {
            "create-keychain": create,
            "delete-keychain": delete,
            "find-identity": find,
            "import": import_,
            "list-keychains": listed,
            "set-key-partition-list": partition,
            "set-keychain-settings": settings,
            "unlock-keychain": unlock,
        }[name](rest)
    except Refused as refused:
        print(f"security: {name}: {refused}", file=sys.stderr)
        return 1
    except (KeyError, IndexError, ValueError) as wrong:
        print(f"security: usage: {name}: {wrong!r}", file=sys.stderr)
        return 2


class Refused(Exception):
    pass


def create(rest: list[str]) -> int:
    flag, password, path = rest
    if flag != "-p" or Path(path).exists():
        raise Refused("A keychain with the same name already exists.")
    Path(path).write_text(json.dumps({"password": password, "identities": [], "locked": True, "partition": ""}))
    return 0


def settings(rest: list[str]) -> int:
    *flags, path = rest
    if flags[:3] != ["-l", "-u", "-t"] or not flags[3].isdecimal():
        raise ValueError(flags)
    keychain(path)
    return 0


def unlock(rest: list[str]) -> int:
    flag, password, path = rest
    held = keychain(path)
    if flag != "-p" or held["password"] != password:
        raise Refused("The user name or passphrase you entered is not correct.")
    save(path, {**held, "locked": False})
    return 0


def import_(rest: list[str]) -> int:
    """Takes triple DES with a SHA-1 MAC, and a password."""
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

    file, options = rest[0], rest[1:]
    given = dict(zip(options[::2], options[1::2], strict=True))
    if given["-f"] != "pkcs12" or "-T" not in given or not given["-P"]:
        raise ValueError(options)
    held = keychain(given["-k"])
    if held["locked"]:
        raise Refused("User interaction is not allowed.")
    content = Path(file).read_bytes()
    if Path(file).stat().st_mode & 0o077:
        raise Refused("others can read the p12")
    if PBES2 in content:
        raise Refused("MAC verification failed during PKCS12 import (wrong password?)")
    _, certificate, _ = pkcs12.load_key_and_certificates(content, given["-P"].encode())
    assert certificate is not None
    digest = hashlib.sha1(certificate.public_bytes(Encoding.DER), usedforsecurity=False).hexdigest().upper()
    save(given["-k"], {**held, "identities": [*held["identities"], digest]})
    return 0


def partition(rest: list[str]) -> int:
    path = rest[-1]
    held = keychain(path)
    if rest[:1] != ["-S"] or "-s" not in rest or rest[rest.index("-k") + 1] != held["password"]:
        raise Refused("The user name or passphrase you entered is not correct.")
    save(path, {**held, "partition": rest[1]})
    return 0


def find(rest: list[str]) -> int:
    if rest[rest.index("-p") + 1] != "codesigning":
        raise ValueError(rest)
    found = keychain(rest[-1])["identities"]
    trusted = not (MAC / "untrusted").exists()
    for number, digest in enumerate(found if trusted or "-v" not in rest else [], 1):
        print(f'  {number}) {digest} "Apple Distribution: Somebody (TEAM)"')
    print(f"     {len(found)} identities found")
    return 0


def listed(rest: list[str]) -> int:
    if rest[:2] != ["-d", "user"]:
        raise ValueError(rest)
    if rest[2:3] == ["-s"]:
        (MAC / "keychains").write_text("".join(f"{path}\n" for path in rest[3:]))
    else:
        for path in (MAC / "keychains").read_text().splitlines():
            print(f'    "{path}"')
    return 0


def delete(rest: list[str]) -> int:
    (path,) = rest
    keychain(path)
    Path(path).unlink()
    return 0


def keychain(path: str) -> dict[str, Any]:
    if not Path(path).exists():
        raise Refused("The specified keychain could not be found.")
    held: dict[str, Any] = json.loads(Path(path).read_text())
    return held


def save(path: str, held: dict[str, Any]) -> None:
    Path(path).write_text(json.dumps(held))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
