"""The parts of a rehearsal. `make rehearse`, `make serve` and `make drill` start them.

    python -m rehearsal serve --data DIR     serve the doubles, on consecutive ports of this machine
    python -m rehearsal ipa                  build a stand-in of solmobile, see `rehearsal/standins/ipa.py`
    python -m rehearsal drill [NAME]         demonstrate a failure and its remedy; without a name, list the drills

`serve` prints one JSON line with the addresses when the doubles are ready. They store everything in DIR, so a restart loses nothing;
`DIR/credentials.json` has the credentials for a stack. SIGINT and SIGTERM stop them, with all machines.
"""

import argparse
import json
import os
import sys
import threading
from contextlib import closing
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from rehearsal import drills, ports, processes
from rehearsal.cloud.betterstack import TOKEN as BETTERSTACK_TOKEN
from rehearsal.cloud.world import World
from rehearsal.declared import add_declared
from rehearsal.errors import exit_code
from rehearsal.stack import ENGINES
from rehearsal.standins import ipa

POLL_SECONDS = 0.2
KEY_ID = "REHEARSAL1"
ROLE = "ADMIN"
"""The role of the key: the one that the runbook names for `pulumi up`."""
ISSUER_ID = "57246542-96fe-1a63-e053-0824d011072a"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m rehearsal", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve", help="serve the doubles")
    serving.add_argument("--port", type=int, help=ports.HELP)
    serving.add_argument("--data", type=Path, default=Path(".rehearsal"), help="folder of the doubles' state")
    serving.add_argument("--exit-with-parent", action="store_true", help="end when standard input ends")
    commands.add_parser("ipa", help="build a stand-in of solmobile")
    drilling = commands.add_parser("drill", help="demonstrate a failure and its remedy")
    drilling.add_argument("name", nargs="?", choices=drills.DRILLS, help="default: list the drills")
    drilling.add_argument("--engine", choices=ENGINES, default="embedded")
    options = parser.parse_args()
    if options.command == "serve":
        return exit_code(lambda: serve(options.port, options.data, exit_with_parent=options.exit_with_parent))
    if options.command == "ipa":
        return ipa.main()
    if options.name is None:
        print(drills.listed())
        return 0
    with processes.forwarded_signals():
        return exit_code(lambda: drills.run(options.name, options.engine))


def serve(port: int | None, data: Path, *, exit_with_parent: bool) -> int:
    """Serve the doubles until a signal, or until standard input ends with the parent. Raises PortTaken and OSError."""
    ended = threading.Event()
    if exit_with_parent:
        threading.Thread(target=_wait_for_parent, args=(ended,), daemon=True).start()
    with processes.handled_signals(lambda _: ended.set()), closing(World(data)) as world:
        if not (data / "credentials.json").exists():
            _write_credentials(world, data / "credentials.json")
        add_declared(world)
        with ports.listeners(world, port) as listeners:
            print(json.dumps(world.addresses), flush=True)
            while not ended.wait(POLL_SECONDS):
                if listeners.failure:
                    raise listeners.failure
    return 0


def _wait_for_parent(ended: threading.Event) -> None:
    while os.read(0, 1024):  # Not sys.stdin: a thread that holds its lock aborts the interpreter at exit.
        pass
    ended.set()


def _write_credentials(world: World, path: Path) -> None:
    """Write a Fly token, and a team key that is registered in the double of App Store Connect."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    about = {"key_id": KEY_ID, "issuer_id": ISSUER_ID, "public_key_pem": public.decode(), "role": ROLE}
    world.store.put("appstore.keys", KEY_ID, about)
    credentials = {
        "FLY_API_TOKEN": "fo1_rehearsal",
        "ASC_KEY_ID": KEY_ID,
        "ASC_ISSUER_ID": ISSUER_ID,
        "ASC_PRIVATE_KEY": private.decode(),
        "BETTERSTACK_API_TOKEN": BETTERSTACK_TOKEN,
    }
    draft = path.with_suffix(".draft")  # A killed process must not leave half a file.
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(credentials, file, indent=2)
    draft.replace(path)


if __name__ == "__main__":
    sys.exit(main())
