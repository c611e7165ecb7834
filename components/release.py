"""The release that is launched: version, build number and label."""

import msgspec

from components.config import SettingText, StackConfig
from providers.appstore.ipa import versions

NEXT = "next"
NOT_CHOSEN = SettingText(
    "build",
    "must be a number: the preview shows it, the IPA contains it, and sign-offs name it",
    remedy="run `make next-build STACK=NAME`, which asks Apple for the next free one and sets it",
)


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """Apple stores `version` and `build`; `label` is the name that people use."""

    version: str
    build: str
    label: str

    @property
    def build_name(self) -> str:
        """The build as TestFlight shows it."""
        return f"{self.version} ({self.build})"

    @property
    def title(self) -> str:
        return f"{self.version} ({self.label})"


def read_release(config: StackConfig) -> Release:
    """The release that the configuration names; problems are added to `config`."""
    release = Release(version=config.text("version"), build=config.text("build"), label=config.text("label"))
    for key, number, parts in (
        ("version", release.version, versions.VERSION_PARTS),
        ("build", release.build, versions.BUILD_PARTS),
    ):
        if key == "build" and number == NEXT:
            config.refuse(NOT_CHOSEN())
        elif number:
            config.refuse_all(key, filter(None, [versions.problem(number, key, parts)]))
    return release
