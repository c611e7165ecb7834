"""`make pulumi-cli`: installs the Pulumi CLI into the project, in the version that `.pulumi.version` names.

Pulumi's Automation API downloads it, unless that version or a later one is already installed there.
"""

import subprocess
import sys
from pathlib import Path

from pulumi.automation import InvalidVersionError, PulumiCommand
from semver import VersionInfo

VERSION = Path(".pulumi.version")
PLACE = Path(".tools/pulumi")
"""The Makefile puts its `bin` on PATH."""


def main() -> int:
    try:
        version = VersionInfo.parse(VERSION.read_text(encoding="utf-8").strip())
        installed = PulumiCommand.install(root=str(PLACE.absolute()), version=version)
    except (OSError, ValueError, InvalidVersionError, subprocess.CalledProcessError) as error:
        printed = (
            error.output.decode(errors="replace").strip() if isinstance(error, subprocess.CalledProcessError) else ""
        )
        print(
            f"error: the Pulumi CLI is not installed: {printed or error}. `make rehearse` needs no CLI; "
            "https://www.pulumi.com/docs/install/ has other ways to install one.",
            file=sys.stderr,
        )
        return 1
    print(f"Pulumi {installed.version} is in {PLACE}. Outside of make: export PATH=$PWD/{PLACE}/bin:$PATH")
    return 0


if __name__ == "__main__":
    sys.exit(main())
