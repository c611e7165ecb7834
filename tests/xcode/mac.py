"""A simulated Mac for the archive script: stand-ins of `xcodebuild` and `security` that accept what the real ones accept.

They write files that tests read: `arguments` (what every user of the machine could read in the process list), `keychains` (the
search list), `built` (what was installed during the build).
"""

import base64
import functools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.x509 import load_pem_x509_certificate

from components.testflight.xcode import BuildSpec, render_export_options
from providers.appstore.certificate import in_macos_form
from rehearsal.standins import ipa as standin
from tests.appstore.signing import certificate_of, signing_key

ROOT = Path(__file__).resolve().parents[2]
STANDINS = ROOT / "tests" / "xcode" / "standins"
PASSWORD = "s3cret-p12-password"
SHARE_UUID = "0d7f5a9c-5a52-4f1c-8a55-6f1d3c7e2b11"
UUID = "6f1d3c7e-5a52-4f1c-8a55-0d7f5a9c2b11"


class Mac:
    """A home folder, a checkout of solmobile with one commit on main, and the stand-ins on PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home, self.checkout, self.out = folder / "home", folder / "solmobile", folder / "out"
        self.home.mkdir()
        (folder / "bin").mkdir()
        for name in ("security", "xcodebuild"):
            script = folder / "bin" / name
            script.write_text(f'#!/bin/sh\nexec {sys.executable} {STANDINS / name}.py "$@"\n')
            script.chmod(0o755)
        self.environment = {
            **os.environ,
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "MAC": str(folder / "mac"),
            "GIT_CONFIG_GLOBAL": str(folder / "gitconfig"),
            "PYTHONPATH": str(ROOT),
        }
        (folder / "mac").mkdir()
        (folder / "mac" / "keychains").write_text(f"{self.home}/Library/Keychains/login.keychain-db\n")
        (folder / "gitconfig").write_text(
            "[user]\nname = Ada\nemail = ada@sollabs.example\n[init]\ndefaultBranch = main\n"
        )
        self.checkout.mkdir()
        self.git("init", "--quiet")
        self.commit = self.committed("Info.plist", "<plist/>")

    def committed(self, name: str, text: str) -> str:
        """Commit a file; returns the hash."""
        (self.checkout / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", f"Change {name}")
        return self.git("rev-parse", "HEAD")

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.checkout), *arguments]
        done = subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def job(self, **changes: Any) -> dict[str, Any]:
        """A job as components/testflight/xcode.py writes it."""
        return {
            "checkout": str(self.checkout),
            "commit": self.commit,
            "container": ["workspace", "SolMobile.xcworkspace"],
            "scheme": "Release",
            "export_options": "ExportOptions.plist",
            "files": {
                "Config/Release.xcconfig": "PRODUCT_BUNDLE_IDENTIFIER = com.sollabs.solos\n",
                "ExportOptions.plist": _export_options(),
            },
            "ipa": str(self.out / "solmobile.ipa"),
            **_identity(),
            "profiles": [
                [UUID, base64.b64encode(standin.profile("com.sollabs.solos")).decode()],
                [SHARE_UUID, base64.b64encode(standin.profile("com.sollabs.solos.Share")).decode()],
            ],
            **changes,
        }

    def start(self, job: dict[str, Any], before: Sequence[str] = ()) -> subprocess.Popen[str]:
        """Start the script on a job, as an argument of the command `before`."""
        process = subprocess.Popen(
            [*before, sys.executable, str(ROOT / "xcode" / "archive.py")],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps(job))
        process.stdin.close()
        process.stdin = None
        return process

    def archive(self, **changes: Any) -> tuple[int, str]:
        """Run the script; returns exit status and output."""
        process = self.start(self.job(**changes))
        output, _ = process.communicate()
        return process.returncode, output

    def recorded(self, name: str) -> list[str]:
        """The lines of a file that the stand-ins write."""
        path = self.folder / "mac" / name
        return path.read_text().splitlines() if path.exists() else []

    def behave(self, how: str) -> None:
        """Let the next `xcodebuild` `fail` or `hang`; empty to let it succeed."""
        (self.folder / "mac" / "behaviour").write_text(how)

    def left_over(self) -> list[str]:
        """What an archive should have removed: profiles, keychains, worktrees and hidden files."""
        profiles = [str(path) for path in self.home.rglob("*.mobileprovision")]
        keychains = [keychain for keychain in self.recorded("keychains") if not keychain.endswith("login.keychain-db")]
        worktrees = self.git("worktree", "list").splitlines()[1:]
        hidden = [str(path) for path in self.out.glob(".*")] if self.out.exists() else []
        return [*profiles, *keychains, *worktrees, *hidden]


def _export_options() -> str:
    build = BuildSpec(bundle_id="com.sollabs.solos", version="1.0.0", build="0", api_key="API_BASE_URL", url="", ipa="")
    return render_export_options(
        build,
        team="SLLABS4TM1",
        profile="SolOS App Store 1",
        extensions={"Share": "SolOS App Store 2"},
        type="DISTRIBUTION",
    )


@functools.cache
def _identity() -> dict[str, str]:
    """A certificate and its PKCS#12 as the provider makes them."""
    pem = certificate_of(signing_key()["private_key"])
    key: Any = serialization.load_pem_private_key(signing_key()["private_key"].encode(), None)
    content = in_macos_form(key, load_pem_x509_certificate(pem.encode()), PASSWORD)
    return {"certificate": pem, "p12": base64.b64encode(content).decode(), "p12_password": PASSWORD}
