"""Runs in the environment of codemagic-cli-tools: what a launch does, with that client. Prints JSON: the result of each operation, and
the names of what it sees.

Arguments: the address of the double, key ID, issuer ID, path of the private key, path of a signing request.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codemagic.apple.app_store_connect import AppStoreConnectApiClient  # type: ignore[import-not-found]  # installed by the test
from codemagic.apple.resources import (  # type: ignore[import-not-found]  # installed by the test
    BundleIdPlatform,
    CapabilityType,
    CertificateType,
    Locale,
    ProfileType,
)

address, key_id, issuer_id, key_path, csr_path = sys.argv[1:]
AppStoreConnectApiClient.API_URL = f"{address}/v1"
client = AppStoreConnectApiClient(key_id, issuer_id, Path(key_path).read_text())
results: dict[str, str] = {}


def do(name: str, operation: Callable[[], Any]) -> Any:
    try:
        value = operation()
    except Exception as error:  # noqa: BLE001 (reported with the others)
        results[name] = f"{type(error).__name__}: {error}"
        return None
    results[name] = "ok"
    return value


apps, builds, groups = client.apps, client.builds, client.beta_groups
app = do("list apps", apps.list)[0]
do("read app", lambda: apps.read(app))
do("list builds of app", lambda: apps.list_builds(app))
do("list versions of app", lambda: apps.list_pre_release_versions(app))
do("list test information", lambda: apps.list_beta_app_localizations(app))
do("register and leave", lambda: client.bundle_ids.create("com.example.codemagic", "Left", BundleIdPlatform.IOS))
new = do("register", lambda: client.bundle_ids.create("com.example.other", "Other", BundleIdPlatform.IOS))
listed = do(
    "list iOS bundle IDs",
    lambda: client.bundle_ids.list(client.bundle_ids.Filter(platform=BundleIdPlatform.IOS)),
)
assert {bundle_id.attributes.identifier for bundle_id in listed} >= {"com.example.other"}
do("read bundle ID", lambda: client.bundle_ids.read(new))
do("rename bundle ID", lambda: client.bundle_ids.modify(new, "Another"))
do("enable", lambda: client.bundle_id_capabilities.enable(CapabilityType.PUSH_NOTIFICATIONS, new))
do("list capabilities", lambda: client.bundle_ids.list_capabilities(new))
do("list capability ids", lambda: client.bundle_ids.list_capability_ids(new))
certificate = do(
    "create certificate",
    lambda: client.signing_certificates.create(CertificateType.DISTRIBUTION, Path(csr_path).read_text()),
)
do("read certificate", lambda: client.signing_certificates.read(certificate))
do("list certificates", client.signing_certificates.list)
profile = do(
    "create profile",
    lambda: client.profiles.create("Other", ProfileType.IOS_APP_STORE, new, [certificate], []),
)
do("read profile", lambda: client.profiles.read(profile))
do("list profiles", client.profiles.list)
do("bundle ID of profile", lambda: client.profiles.read_bundle_id(profile))
# By its id: for a profile this client takes the linkage of the certificates for the certificates.
do("certificates of profile", lambda: client.profiles.list_certificates(profile.id))
do("certificate ids of profile", lambda: client.profiles.list_certificate_ids(profile))
do("profiles of bundle ID", lambda: client.bundle_ids.list_profiles(new))
do("delete profile", lambda: client.profiles.delete(profile))
do("delete bundle ID", lambda: client.bundle_ids.delete(new))
build = do("list builds", builds.list)[0]
do("read build", lambda: builds.read(build))
do("app of build", lambda: builds.read_app(build))
do("version of build", lambda: builds.read_pre_release_version(build))
do("testing state", lambda: builds.read_beta_detail(build))
group = do("list groups", groups.list)[0]
do("remove build", lambda: groups.remove_build(group, build))
do("add build", lambda: groups.add_build(group, build))
text = do("write What to Test", lambda: client.beta_build_localizations.create(build, Locale.FR_FR, "Nouveau."))
do("change What to Test", lambda: client.beta_build_localizations.modify(text, "Encore."))
do("list What to Test", client.beta_build_localizations.list)
do("list versions", client.pre_release_versions.list)
do("revoke certificate", lambda: client.signing_certificates.delete(certificate))
seen = {
    "bundleIds": [bundle_id.attributes.identifier for bundle_id in client.bundle_ids.list()],
    "groups": [item.attributes.name for item in groups.list()],
    "builds": [item.attributes.version for item in builds.list()],
}
print(json.dumps({"results": results, "seen": seen}))
