"""Everything that a build is signed with, as one stack: bundle ID, capabilities, key, certificate and profile."""

from dataclasses import dataclass
from typing import Any

import pytest

from harness.appstore import BUNDLE_ID
from harness.driver import DrivenStack
from harness.inprocess import control
from providers.appstore import certificate
from providers.appstore.bundle_id import BundleIdProvider
from providers.appstore.bundle_id_capabilities import BundleIdCapabilitiesProvider
from providers.appstore.certificate import CertificateProvider
from providers.appstore.profile import ProfileProvider
from providers.appstore.signing_key import SigningKeyProvider
from rehearsal.cloud.store import Document
from rehearsal.cloud.world import World


@dataclass(kw_only=True)
class Signed(DrivenStack):
    revoke: bool = False
    """Whether a certificate is revoked that is replaced or destroyed."""

    def up(self, *, capabilities: tuple[str, ...] = ("PUSH_NOTIFICATIONS",)) -> None:
        """Create, change or renew all of it. A step that fails raises, and no further step runs."""
        key = self.do("key", SigningKeyProvider)
        about = {"private_key": key["private_key"], "csr": key["csr"], "revoke": self.revoke}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                certificate, "KDF_ROUNDS", 1
            )  # creating keys takes half of the time, and these journeys do not test it
            self.do("certificate", CertificateProvider, **about)
        self.do("bundle id", BundleIdProvider, identifier=BUNDLE_ID, name="SolOS")
        bundle_id = self.resources["bundle id"].id
        wanted: dict[str, Any] = {type: {} for type in capabilities}
        self.do("capabilities", BundleIdCapabilitiesProvider, bundle_id=bundle_id, capabilities=wanted)
        self.do(
            "profile",
            ProfileProvider,
            name="SolOS App Store",
            bundle_id=bundle_id,
            certificate_ids=[self.resources["certificate"].id],
            capabilities=wanted,
        )
        self.finish()


def signing_held(world: World) -> dict[str, Any]:
    """Everything in the account, without ids and times, so that equivalent accounts are equal."""
    world.clock.sleep(60)  # lost calls that are still on their way arrive
    state: dict[str, list[Document]] = control(world, "GET", "/appstore/state")
    expiries = {certificate["id"]: certificate["expirationDate"][:10] for certificate in state["certificates"]}
    return {
        "how many of each": {kind: len(records) for kind, records in state.items()},
        "certificates": sorted(expiries.values()),
        "capabilities": sorted(capability["capabilityType"] for capability in state["bundleIdCapabilities"]),
        "profiles": [
            (profile["profileState"], [expiries[id] for id in profile["links"]["certificates"]])
            for profile in state["profiles"]
        ],
    }
