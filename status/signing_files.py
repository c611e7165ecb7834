"""`python -m status.signing_files --stack NAME`: writes what builds are signed with to `build/signing`, from the stack's state.

For an iOS developer who archives on a Mac that does not run `up`. It needs the passphrase of the stack, and calls no vendor. The folder
contains the private key: hand it over privately, and delete it afterwards.
"""

import argparse
import base64
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from project.config import passphrase
from project.crypter import Crypter, WrongPassphrase
from project.files import BadProject, create_private
from project.state import SECRET, SIGNATURE
from report.source import NotFound, exported

FOLDER = Path("build/signing")
CERTIFICATE, PROFILE = "dynamic/appstore:Certificate", "dynamic/appstore:Profile"


class NothingToSignWith(Exception):
    """The stack has no certificate, or no passphrase decrypts it; the message says which."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m status.signing_files", description=__doc__)
    parser.add_argument("--stack", "-s", required=True)
    options = parser.parse_args(arguments)
    try:
        files = dict(_files(options.stack, json.loads(exported(options.stack))))
    except (BadProject, NotFound, NothingToSignWith, WrongPassphrase) as error:
        print(f"signing-files: {error}", file=sys.stderr)
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    FOLDER.chmod(0o700)
    for name, content in files.items():
        create_private(FOLDER / name).close()
        (FOLDER / name).write_bytes(content)
        print(FOLDER / name)
    print("It contains the private key: hand it over privately, and delete it afterwards.")
    return 0


def _files(stack: str, state: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file. Raises BadProject, NothingToSignWith and WrongPassphrase."""
    deployment = state.get("deployment") or state.get("checkpoint", {}).get("latest") or {}
    resources = deployment.get("resources") or []
    certificates = [resource["outputs"] for resource in resources if resource["type"].endswith(CERTIFICATE)]
    if not certificates:
        raise NothingToSignWith("the stack has no certificate: set `signing`, and run `pulumi up`")
    encrypted = deployment.get("secrets_providers") or {}
    if encrypted.get("type") != "passphrase":
        raise NothingToSignWith(f"the state is not encrypted with a passphrase, but with {encrypted.get('type')}")
    crypter = Crypter.of(encrypted["state"]["salt"], passphrase(stack))
    yield "distribution.p12", base64.b64decode(_opened(certificates[-1]["p12"], crypter))
    yield "distribution.p12.password", f"{_opened(certificates[-1]['p12_password'], crypter)}\n".encode()
    for resource in resources:
        if resource["type"].endswith(PROFILE):
            content = _opened(resource["outputs"]["content"], crypter)
            yield f"{resource['outputs']['full_name']}.mobileprovision", base64.b64decode(content)


def _opened(value: Any, crypter: Crypter) -> str:
    """A secret of the state."""
    if not isinstance(value, Mapping) or value.get(SIGNATURE) != SECRET or "ciphertext" not in value:
        return str(value)
    return str(json.loads(crypter.decrypt(value["ciphertext"])))


if __name__ == "__main__":
    sys.exit(main())
