"""What the stack expects of an IPA."""

from collections.abc import Mapping, Sequence

import msgspec

MINIMUM_SDK = "26"
"""The oldest SDK that Apple accepts since 28 April 2026 (https://developer.apple.com/news/upcoming-requirements/). Apple raises it
every spring."""


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What an IPA has to be. None and empty mean: no requirement."""

    bundle_id: str
    short_version: str
    version: str
    minimum_os: str | None = None
    """The IPA must not need a later one, which would exclude testers."""
    minimum_sdk: str | None = MINIMUM_SDK
    info: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Required values of Info.plist, for example the endpoint."""
    usage_descriptions: Sequence[str] = ()
    """Info.plist keys (NSCameraUsageDescription, …) that need a text. Keys of the kind that are there need one in any case."""
    team_id: str | None = None
    certificate: bytes | None = None
    """DER of the distribution certificate that the profile has to contain."""
    says_export_compliance: bool = False
    """Whether ITSAppUsesNonExemptEncryption has to be there."""
