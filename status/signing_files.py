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

from cryptography.exceptions import InvalidTag

from project.config import crypter_of, stack_file
from project.crypter import Crypter, WrongPassphrase
from project.files import BadProject, create_private
from project.state import SECRET, SIGNATURE
from report.source import NotFound, exported

FOLDER = Path("build/signing")
CERTIFICATE, PROFILE = "dynamic/appstore:Certificate", "dynamic/appstore:Profile"


class NothingToSignWith(Exception):
    """The stack has no certificate, or it cannot be decrypted; the message says which."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m status.signing_files", description=__doc__)
    parser.add_argument("--stack", "-s", required=True)
    parser.add_argument("--config-file", type=Path, help="instead of Pulumi.<stack>.yaml")
    options = parser.parse_args(arguments)
    try:
        state = json.loads(exported(options.stack))
        crypter = crypter_of(options.stack, stack_file(Path.cwd(), options.stack, options.config_file))
        files = dict(_files(state, crypter))
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


def _files(state: Mapping[str, Any], crypter: Crypter) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file. Raises NothingToSignWith."""
    deployment = state.get("deployment") or state.get("checkpoint", {}).get("latest") or {}
    resources = deployment.get("resources") or []
    certificates = [resource["outputs"] for resource in resources if resource["type"].endswith(CERTIFICATE)]
    if not certificates:
        raise NothingToSignWith("the stack has no certificate: set `signing`, and run `pulumi up`")
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
    try:
        return str(json.loads(crypter.decrypt(value["ciphertext"])))
    except (InvalidTag, ValueError):
        raise NothingToSignWith("the state is not encrypted with the passphrase of the stack file") from None


if __name__ == "__main__":
    sys.exit(main())
