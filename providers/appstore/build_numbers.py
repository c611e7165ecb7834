"""The build numbers of a version that are used up: Apple accepts each once, and only higher ones.

A rejected upload has used up its number, too (https://github.com/fastlane/fastlane/issues/6207).
"""

from collections.abc import Iterable

from providers.appstore.api import client, objects, upload
from providers.appstore.ipa import versions

PLATFORM = "IOS"


def taken(store: "client.AppStore", app_id: str, short_version: str) -> list[str]:
    """The numbers of the builds and of the complete uploads of a version, lowest first."""
    return used(uploads(store, app_id, short_version), builds(store, app_id, short_version))


def used(uploads: "Iterable[objects.BuildUpload]", builds: "Iterable[objects.Build]") -> list[str]:
    """The numbers of these builds and of these uploads, if complete, lowest first."""
    committed = (found.cf_bundle_version for found in uploads if upload.is_committed(found))
    numbers = {*committed, *(build.version for build in builds)}
    return sorted(filter(versions.is_build, numbers), key=versions.ordering)


def uploads(store: "client.AppStore", app_id: str, short_version: str) -> "list[objects.BuildUpload]":
    """The uploads of a version, with their files, also unfinished ones."""
    listed = store.list_all(
        objects.BuildUpload,
        of=objects.App.ref(app_id),
        doing=f"look for uploads of {short_version}",
        query={
            "include": "assetFile",
            "filter[cfBundleShortVersionString]": versions.spellings(short_version),
            "filter[platform]": PLATFORM,
        },
    )
    wanted = versions.ordering(short_version)
    return [found for found in listed if versions.ordering(found.cf_bundle_short_version_string) == wanted]


def builds(store: "client.AppStore", app_id: str, short_version: str) -> "list[objects.Build]":
    """The builds of a version."""
    return store.list_all(
        objects.Build,
        doing=f"look for builds of {short_version}",
        query={
            "filter[app]": app_id,
            "filter[preReleaseVersion.version]": versions.spellings(short_version),
            "filter[preReleaseVersion.platform]": PLATFORM,
        },
    )
