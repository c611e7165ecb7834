"""Processing of a complete IPA: Apple refuses it with error codes (`inspection.py`) or creates a build."""

from pathlib import Path

from rehearsal.cloud.appstore import inspection
from rehearsal.cloud.appstore.builds import make_build
from rehearsal.cloud.appstore.kinds import Records
from rehearsal.cloud.context import Context
from rehearsal.cloud.store import Document


def limits(context: Context) -> Document:
    """The values set with `POST /appstore/settings`."""
    return context.store.get("appstore.settings", "limits") or {}


def process(records: Records, upload: Document, path: Path, *, taken: bool) -> None:
    """Process an upload. The outcome is decided now and shown after a delay. `taken`: the build number is already used."""
    app = records.get("apps", upload["links"]["app"])
    assert app
    info = inspection.info_plist(path)
    found = inspection.inspect(
        path, info, upload["attributes"], app["attributes"]["bundleId"], records.context.clock.now()
    )
    errors = [entry for entry in found if entry["code"] not in inspection.WARNINGS]
    if taken:
        errors.append(inspection.redundant(upload["attributes"]))
    rejected = records.context.store.get("appstore.settings", "reject")
    if rejected:
        errors += [{"code": code, "description": text} for code, text in rejected["codes"].items()]
        records.context.store.delete("appstore.settings", "reject")
    upload["committed_at"] = records.context.clock.now()
    upload["errors"] = errors
    upload["warnings"] = [entry for entry in found if entry["code"] in inspection.WARNINGS]
    records.save(upload)
    if not errors:
        facts = {
            "minOsVersion": info.get("MinimumOSVersion"),
            "usesNonExemptEncryption": info.get("ITSAppUsesNonExemptEncryption"),
        }
        make_build(records, upload, facts, limits(records.context).get("build_outcome", "VALID"))
