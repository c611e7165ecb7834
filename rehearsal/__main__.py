"""`python -m rehearsal serve --port 7700 --data DIR`: the doubles alone, on consecutive ports of this machine.
`python -m rehearsal ipa`: a stand-in of the solmobile build, see `rehearsal/standins/ipa.py`.
`python -m rehearsal drill [NAME]`: what goes wrong and what to do about it, tried out; without a name, the list of drills.

Of `serve`: one JSON line with their addresses is printed when they are ready. DIR keeps everything, so a restart loses nothing; its
`credentials.json` has what a stack needs to talk to them. SIGINT and SIGTERM end it, with all machines. By hand, in another shell:

    export PULUMI_BACKEND_URL=file://$PWD/.rehearsal/state PULUMI_CONFIG_PASSPHRASE=rehearsal; mkdir -p .rehearsal/state
    pulumi stack init rehearsal
    pulumi up --stack rehearsal

While `up` waits for the app entry, make it as the account holder would: the form is at the control address, /.
"""

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from werkzeug.test import Client

from rehearsal import drills
from rehearsal.cloud.server import Listeners, PortTaken
from rehearsal.cloud.world import World
from rehearsal.stack import ENGINES
from rehearsal.standins import ipa

KEY_ID = "REHEARSAL1"
ISSUER_ID = "57246542-96fe-1a63-e053-0824d011072a"
STACK = Path(__file__).resolve().parents[1] / "Pulumi.rehearsal.yaml"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m rehearsal", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve", help="the doubles alone")
    serving.add_argument(
        "--port", type=int, default=7700, help="the first of consecutive ports; 0 lets the system choose"
    )
    serving.add_argument("--data", type=Path, default=Path(".rehearsal"), help="where everything is kept")
    commands.add_parser("ipa", help="a stand-in of the solmobile build")
    drilling = commands.add_parser("drill", help="what goes wrong and what to do about it, tried out")
    drilling.add_argument("name", nargs="?", choices=drills.DRILLS, help="without one they are listed")
    drilling.add_argument("--engine", choices=ENGINES, default="embedded")
    options = parser.parse_args()
    if options.command == "serve":
        return serve(options.port, options.data)
    if options.command == "ipa":
        return ipa.main()
    if options.name is None:
        print(drills.listed())
        return 0
    return drills.run(options.name, options.engine)


def serve(port: int, data: Path) -> int:
    world = World(data)
    if not (data / "credentials.json").exists():
        _begin(world)
        _write_credentials(world, data / "credentials.json")
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        with Listeners(world, port):
            print(json.dumps(world.addresses), flush=True)
            ended.wait()
    except PortTaken as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        world.close()
    return 0


def _begin(world: World) -> None:
    """What a launch finds: the released image in its registry, and the testers among the users of the team."""
    try:
        config = yaml.safe_load(STACK.read_text(encoding="utf-8"))["config"]
    except yaml.YAMLError as error:
        raise SystemExit(f"error: {STACK.name} is no YAML: {' '.join(str(error).split())}") from None
    control = Client(world.services["control"])
    if "solos:image" in config:  # the program refuses a stack without it, and says which key is missing
        control.post("/fly/images", json={"reference": config["solos:image"]})
    for tester in config.get("solos:testers", ()):
        control.post("/appstore/users", json=tester)


def _write_credentials(world: World, path: Path) -> None:
    """A Fly token, and a team key that App Store Connect knows."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    about = {"key_id": KEY_ID, "issuer_id": ISSUER_ID, "public_key_pem": public.decode(), "role": "ADMIN"}
    world.store.put("appstore.keys", KEY_ID, about)
    credentials = {
        "FLY_API_TOKEN": "fo1_rehearsal",
        "ASC_KEY_ID": KEY_ID,
        "ASC_ISSUER_ID": ISSUER_ID,
        "ASC_PRIVATE_KEY": private.decode(),
    }
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(credentials, file, indent=2)


if __name__ == "__main__":
    sys.exit(main())
