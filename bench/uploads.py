"""The upload of an IPA, compared to a bare parallel PUT of the same bytes to the same double, and its memory.

Both read the file in pieces of the same size and send the same number of parts in parallel. The file is sparse.
"""

import itertools
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from bench.options import Options
from bench.paired import Paired
from harness.driver import Driven
from harness.inprocess import PROJECT, configured_provider
from harness.program import ROOT, doubles
from providers.appstore.bundle_id import BundleIdProvider
from rehearsal.endpoints import ENDPOINTS

BUNDLE_ID = "com.sollabs.solos"
MAX_MIB = 4096
"""Total size of all rounds: large files are measured less often."""


def run(options: Options) -> None:
    with TemporaryDirectory(prefix="bench-") as name, doubles(Path(name)) as addresses:
        folder = Path(name)
        settings = _settings(folder, addresses)
        app = _make_app(settings, addresses)
        numbers = itertools.count()
        for mib in options.mib:
            ipa = folder / "solmobile.ipa"
            with ipa.open("wb") as file:
                file.truncate(mib << 20)

            def send(way: str) -> dict[str, float]:
                given = {
                    "config": {f"{PROJECT}:{key}": value for key, value in settings.items()},
                    "app": app,
                    "version": str(next(numbers)),
                    "ipa": str(ipa),  # noqa: B023 (called in this iteration)
                }
                done = subprocess.run(
                    [sys.executable, "-m", "bench.sender", way],
                    cwd=ROOT,
                    input=json.dumps(given),
                    stdout=subprocess.PIPE,
                    text=True,
                    check=True,
                )
                for received in (folder / "world" / "uploads").iterdir():
                    received.unlink()
                found: dict[str, float] = json.loads(done.stdout)
                return found

            rounds = max(1, min(options.rounds, MAX_MIB // mib))
            _report(mib, rounds, send)


def _report(mib: int, rounds: int, send: Callable[[str], dict[str, float]]) -> None:
    found: dict[str, list[dict[str, float]]] = {"ours": [], "bare": []}
    for number in range(rounds):
        for way in ("ours", "bare") if number % 2 else ("bare", "ours"):
            found[way].append(send(way))
    seconds = {way: [round_["seconds"] for round_ in rounds_] for way, rounds_ in found.items()}
    speed = Paired(seconds["bare"], seconds["ours"])
    memory = max(run["bytes_over_idle"] for run in found["ours"]) / 2**20
    digest = statistics.median(run["digest_seconds"] for run in found["ours"])
    print(f"  {mib:>5} MiB  {speed} as fast as a bare PUT", flush=True)
    print(
        f"      at most {memory:.0f} MiB of memory over idle; computing the digest takes {digest:.2f} s",
        flush=True,
    )


def _settings(folder: Path, addresses: dict[str, str]) -> dict[str, Any]:
    credentials = json.loads((folder / "world" / "credentials.json").read_text())
    return {
        "endpoints": json.dumps({endpoint: addresses[double] for endpoint, double in ENDPOINTS.items()}),
        "ascKeyId": credentials["ASC_KEY_ID"],
        "ascIssuerId": credentials["ASC_ISSUER_ID"],
        "ascPrivateKey": credentials["ASC_PRIVATE_KEY"],
    }


def _make_app(settings: dict[str, Any], addresses: dict[str, str]) -> str:
    """Register the bundle ID and create the app record. Returns its Apple ID."""
    httpx.post(f"{addresses['control']}/delays", json={"app_record_visible": 0}).raise_for_status()
    Driven(configured_provider(settings, BundleIdProvider)).up(identifier=BUNDLE_ID, name="SolOS")
    form = {"bundleId": BUNDLE_ID, "name": "SolOS", "primaryLocale": "en-US", "sku": "solos"}
    entry = httpx.post(f"{addresses['control']}/appstore/apps", json=form).raise_for_status().json()
    return str(entry["id"])
