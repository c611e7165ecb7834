"""A provisioning profile for the App Store. Apple's API cannot change one, so it is replaced by one with another name.

The name contains a digest of bundle ID, capabilities and certificates. So a profile is found by its name after a lost response, and
the next one can be created before this one is deleted: Apple allows each name once, even if its profile is INVALID or expired
(https://developer.apple.com/documentation/appstoreconnectapi/profiles).
"""

import base64
import hashlib
import itertools
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated

from msgspec.structs import asdict, replace
from pulumi import Output

from providers import waiting
from providers.adoption import Adoptable
from providers.appstore.api import client, errors, objects
from providers.appstore.bundle_id_capabilities import Capabilities
from providers.decoding import Instant
from providers.errors import ErrorText, Problem, ProblemText
from providers.properties import REPLACES, SECRET
from providers.record import Input, field
from providers.resource import Provider, Resource

ACTIVE = "ACTIVE"
APP_STORE = "IOS_APP_STORE"
WEBSITE = "https://developer.apple.com/account/resources/profiles"
MAX_NAMES = 20
"""How many names are tried for the same contents. A name is free again once its profile is deleted."""
MAX_NAME_LENGTH = 50
"""The website cuts longer names, and the API can answer 500 (https://github.com/rorkai/App-Store-Connect-CLI/issues/2520)."""

NAME_LENGTH = ProblemText("name", "the profile's name '{name}' has {length} characters; it has to have 1 to {limit}")
NO_CERTIFICATE = ProblemText(
    "certificate_ids", "profile '{name}' has no certificate, so nothing could be signed with it"
)
NAMES_USED_UP = ErrorText(
    "{count} profiles named '{name} …' are INVALID or expired",
    remedy="delete them at {website}, then run `pulumi up` again",
)
NO_RELATIONSHIPS = ErrorText(
    "App Store Connect does not say which bundle ID and certificates profile '{name}' has",
    remedy="run `pulumi up` again in a few minutes",
)
CONTENT_DIFFERS = ErrorText(
    "the content of profile '{name}' differs from Apple's description of it ({kind}, {uuid})",
    remedy="delete it at {website}, then run `pulumi up` again",
)


class ProfileArgs(Adoptable):
    name: Annotated[Input[str], REPLACES]
    """The first part of its full name, which is shortened if that gets too long."""
    bundle_id: Annotated[Input[str], REPLACES]
    """Apple's id of the bundle ID. As with the next two, changing it creates a new profile, then deletes the old one."""
    certificate_ids: Annotated[Input[list[str]], REPLACES]
    capabilities: Annotated[Input[Capabilities], REPLACES] = field(default_factory=dict)
    """Those of the bundle ID. When they change, Apple makes existing profiles INVALID."""
    renew_before_days: Input[int] = field(default=30)
    """`pulumi up` replaces the profile if it expires within this number of days. It expires with its certificate."""


class ProfileState(ProfileArgs):
    full_name: str
    """The name that Apple and Xcode show."""
    uuid: str
    team_id: str
    profile_state: Annotated[str, REPLACES]
    """ACTIVE or INVALID; an INVALID profile is replaced."""
    expires_at: Annotated[str, REPLACES]
    """ISO 8601, UTC."""
    content: Annotated[str, SECRET]
    """The .mobileprovision file, in base64."""


class ProfileProvider(Provider[ProfileArgs, ProfileState]):
    Args = ProfileArgs
    State = ProfileState

    def validate(self, args: ProfileArgs, old: ProfileArgs | None) -> Iterable[Problem]:
        if not 1 <= len(args.name) <= MAX_NAME_LENGTH:
            yield NAME_LENGTH(name=args.name, length=len(args.name), limit=MAX_NAME_LENGTH)
        if not args.certificate_ids:
            yield NO_CERTIFICATE(name=args.name)

    def changed_fields(self, state: ProfileState, args: ProfileArgs) -> Iterable[str]:
        changed = {*super().changed_fields(state, args)}
        if state.profile_state != ACTIVE:
            changed.add("profile_state")
        if _is_due(state.expires_at, args):
            changed.add("expires_at")
        return changed

    def ensure(self, args: ProfileArgs) -> tuple[str, ProfileState]:
        """Use the first of the possible names that is free, or whose profile fits."""
        store = client.AppStore(self.config)
        for name in itertools.islice(_names(args), MAX_NAMES):
            found = _find(store, name)
            if found is None:
                found = _create(store, args, name)
            elif not _fits(found, args):
                continue
            if found:
                return found.id, _state(found, args)
        raise NAMES_USED_UP(count=MAX_NAMES, name=args.name, website=WEBSITE)

    def observe(self, id: str, state: ProfileState) -> ProfileState | None:
        found = client.AppStore(self.config).get(objects.Profile, id, doing=f"read profile '{state.full_name}'")
        return replace(state, profile_state=found.profile_state) if found else None

    def sync(self, id: str, state: ProfileState, args: ProfileArgs) -> ProfileState:
        return replace(state, renew_before_days=args.renew_before_days)

    def remove(self, id: str, state: ProfileState) -> None:
        client.AppStore(self.config).delete(objects.Profile.ref(id), doing=f"delete profile '{state.full_name}'")


def _create(store: "client.AppStore", args: ProfileArgs, name: str) -> "objects.Profile | None":
    """Create the profile; None if Apple refuses the name as taken, possibly by a profile that it no longer lists."""
    try:
        return store.create(
            objects.Profile,
            {
                "name": name,
                "profile_type": APP_STORE,
                "bundle_id": objects.BundleId.ref(args.bundle_id),
                "certificates": [objects.Certificate.ref(id) for id in args.certificate_ids],
            },
            doing=f"create profile '{name}'",
            find=lambda: _find(store, name),
            too_early=_bundle_id_is_too_new,
        )
    except errors.AppStoreError as error:
        if error.says("Multiple profiles found with the name"):
            return None
        raise


def _bundle_id_is_too_new(error: "errors.AppStoreError") -> bool:
    """Apple does not find a bundle ID for a moment after its creation."""
    return error.says("There is no App ID with ID")


def _names(args: ProfileArgs) -> Iterable[str]:
    """The possible names for these contents. Each further one is used if the profile with the previous name is INVALID."""
    contents = [args.bundle_id, sorted(args.certificate_ids), args.capabilities]
    digest = hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()[:8]
    ends = (f" {digest}" + (f" {number}" if number > 1 else "") for number in itertools.count(1))
    return (args.name[: MAX_NAME_LENGTH - len(end)].rstrip() + end for end in ends)


def _find(store: "client.AppStore", name: str) -> "objects.Profile | None":
    listed = store.list_all(
        objects.Profile,
        doing=f"look up profile '{name}'",
        query={"include": "bundleId,certificates", "filter[name]": name},
    )
    found = next((profile for profile in listed if profile.name == name), None)
    if found and (found.bundle_id is None or found.certificates is None):
        raise NO_RELATIONSHIPS(name=name)
    return found


def _fits(profile: "objects.Profile", args: ProfileArgs) -> bool:
    return (
        profile.profile_state == ACTIVE
        and profile.profile_type == APP_STORE
        and profile.bundle_id == objects.BundleId.ref(args.bundle_id)
        and {certificate.id for certificate in profile.certificates or ()} == set(args.certificate_ids)
        and not _is_due(profile.expiration_date, args)
    )


def _is_due(expiry: str, args: ProfileArgs) -> bool:
    now = datetime.fromtimestamp(waiting.clock.wall(), UTC)
    return Instant(expiry).moment <= now + timedelta(days=args.renew_before_days)


def _state(profile: "objects.Profile", args: ProfileArgs) -> ProfileState:
    from providers.appstore.ipa import mobileprovision  # previews do not read profiles

    facts = mobileprovision.read_encoded(profile.profile_content)
    if facts.kind != "App Store" or facts.uuid != profile.uuid:
        raise CONTENT_DIFFERS(name=profile.name, kind=facts.kind, uuid=facts.uuid, website=WEBSITE)
    return ProfileState(
        **asdict(args),
        full_name=profile.name,
        uuid=facts.uuid,
        team_id=facts.team_id,
        profile_state=profile.profile_state,
        expires_at=profile.expiration_date.moment.astimezone(UTC).isoformat(),
        content=base64.b64encode(profile.profile_content.content).decode(),
    )


class Profile(Resource[ProfileArgs], module="appstore", name="Profile"):
    """A profile with which builds are signed for the App Store and TestFlight. `id` is Apple's id of it."""

    provider = ProfileProvider
    full_name: Output[str]
    uuid: Output[str]
    team_id: Output[str]
    profile_state: Output[str]
    expires_at: Output[str]
    content: Output[str]
