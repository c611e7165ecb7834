"""A provisioning profile for the App Store: never changed, because Apple cannot, but replaced by one of another name.

What is in a profile is part of its name: a digest of bundle ID, capabilities and certificates. So a profile whose answer was lost
is found by its name, the next one can be made before this one is deleted, and Apple's rule that a name is used once, even by an
INVALID or expired one, stands in nobody's way (app-store-connect.md, section 12).
"""

import base64
import hashlib
import itertools
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import pulumi
from pulumi import Input, Output

from providers import waiting
from providers.appstore.api.client import AppStore, Entity
from providers.appstore.api.errors import AppStoreError
from providers.appstore.bundle_id_capabilities import Capabilities
from providers.appstore.ipa import mobileprovision
from providers.errors import ProviderError
from providers.properties import REPLACES, SECRET
from providers.resource import Provider, Resource

ACTIVE = "ACTIVE"
WEBSITE = "https://developer.apple.com/account/resources/profiles"
MOST_NAMES = 20
"""So many names are tried for a profile of the same contents. Each is free again once its profile is replaced."""
LONGEST_NAME = 50
"""Apple allows more; this leaves room for what is appended, and is easy to read in Xcode."""


@dataclass(frozen=True, kw_only=True)
class ProfileArgs:
    name: Annotated[str, REPLACES]
    """What its name begins with."""
    bundle_id: Annotated[str, REPLACES]
    """Apple's id of the bundle ID. As with the next two: changing it makes a new profile, then deletes the old one."""
    certificate_ids: Annotated[list[str], REPLACES]
    capabilities: Annotated[Capabilities, REPLACES] = field(default_factory=dict)
    """Those of the bundle ID, a change of which makes Apple take older profiles for INVALID."""
    renew_before_days: int = 30
    """So long before the profile expires, which is when its certificate does, `up` makes another one."""


@dataclass(frozen=True, kw_only=True)
class ProfileState(ProfileArgs):
    full_name: str = ""
    """As Apple and Xcode know it."""
    uuid: str = ""
    team_id: str = ""
    profile_state: Annotated[str, REPLACES] = ACTIVE
    """ACTIVE or INVALID; the latter is healed by another profile."""
    expires_at: Annotated[str, REPLACES] = ""
    """ISO 8601, UTC."""
    content: Annotated[str, SECRET] = ""
    """The .mobileprovision file, in base64."""


class ProfileProvider(Provider[ProfileArgs, ProfileState]):
    Args = ProfileArgs
    State = ProfileState

    def validate(self, args: ProfileArgs, old: ProfileArgs | None) -> Iterable[str]:
        if not 1 <= len(args.name) <= LONGEST_NAME:
            yield f"the profile's name '{args.name}' has {len(args.name)} characters: 1 to {LONGEST_NAME} are allowed"
        if not args.certificate_ids:
            yield f"profile '{args.name}' holds no certificate: nothing could be signed with it"

    def changed_fields(self, state: ProfileState, args: ProfileArgs) -> Iterable[str]:
        differing = {*super().changed_fields(state, args)}
        if state.profile_state != ACTIVE:
            differing.add("profile_state")
        if _is_due(state.expires_at, args):
            differing.add("expires_at")
        return differing

    def ensure(self, args: ProfileArgs) -> tuple[str, ProfileState]:
        """Under the first of the possible names that is free, or whose profile will do."""
        store = AppStore(self.config)
        for name in itertools.islice(_names(args), MOST_NAMES):
            found = _find(store, name)
            if found is None:
                found = self._make(store, args, name)
            elif not _fits(found, args):
                continue
            if found:
                return found.id, _state(found, args)
        raise ProviderError(
            f"{MOST_NAMES} profiles named '{args.name} …' are INVALID or expired: delete them at {WEBSITE}, then run up again"
        )

    def observe(self, id: str, state: ProfileState) -> ProfileState | None:
        found = AppStore(self.config).get(f"/v1/profiles/{id}", doing=f"read profile '{state.full_name}'")
        return replace(state, profile_state=found["profileState"]) if found else None

    def sync(self, id: str, state: ProfileState, args: ProfileArgs) -> ProfileState:
        return replace(state, renew_before_days=args.renew_before_days)

    def remove(self, id: str, state: ProfileState) -> None:
        AppStore(self.config).delete(f"/v1/profiles/{id}", doing=f"delete profile '{state.full_name}'")

    def _make(self, store: AppStore, args: ProfileArgs, name: str) -> Entity | None:
        """None when Apple says that the name is taken, which it does of profiles that it no longer shows as well."""
        try:
            return store.create(
                "profiles",
                {"name": name, "profileType": "IOS_APP_STORE"},
                {
                    "bundleId": ("bundleIds", args.bundle_id),
                    "certificates": ("certificates", args.certificate_ids),
                },
                doing=f"make profile '{name}'",
                find=lambda: _find(store, name),
                too_early=_something_is_too_new,
            )
        except AppStoreError as error:
            if error.says("Multiple profiles found with the name"):
                return None
            raise


def _something_is_too_new(error: AppStoreError) -> bool:
    """Apple does not know a bundle ID for a moment after it was made (section 7)."""
    return error.says("There is no App ID with ID")


def _names(args: ProfileArgs) -> Iterable[str]:
    """The names that a profile of these contents can have: the next one serves when Apple took the one before for INVALID."""
    contents = [args.bundle_id, sorted(args.certificate_ids), args.capabilities]
    digest = hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()[:8]
    return (f"{args.name} {digest}" + (f" {number}" if number > 1 else "") for number in itertools.count(1))


def _find(store: AppStore, name: str) -> Entity | None:
    listed = store.list_all(
        "/v1/profiles", doing=f"look up profile '{name}'", include="bundleId,certificates", **{"filter[name]": name}
    )
    return next((each for each in listed if each["name"] == name), None)


def _fits(entity: Entity, args: ProfileArgs) -> bool:
    return (
        entity["profileState"] == ACTIVE
        and entity["profileType"] == "IOS_APP_STORE"
        and entity.linked("bundleId") == [args.bundle_id]
        and set(entity.linked("certificates")) == set(args.certificate_ids)
        and not _is_due(entity["expirationDate"], args)
    )


def _is_due(expiry: str, args: ProfileArgs) -> bool:
    now = datetime.fromtimestamp(waiting.clock.wall(), UTC)
    return datetime.fromisoformat(expiry) <= now + timedelta(days=args.renew_before_days)


def _state(entity: Entity, args: ProfileArgs) -> ProfileState:
    facts = mobileprovision.read_encoded(entity["profileContent"])
    if facts.kind != "App Store" or facts.uuid != entity["uuid"]:
        raise ProviderError(
            f"profile '{entity['name']}' does not hold what Apple says of it ({facts.kind}, {facts.uuid}): delete it at {WEBSITE} "
            "and run up again"
        )
    return ProfileState(
        **asdict(args),
        full_name=entity["name"],
        uuid=facts.uuid,
        team_id=facts.team_id,
        profile_state=entity["profileState"],
        expires_at=datetime.fromisoformat(entity["expirationDate"]).astimezone(UTC).isoformat(),
        content=base64.b64encode(base64.b64decode(entity["profileContent"])).decode(),
    )


class Profile(Resource[Any], module="appstore", name="Profile"):
    """A profile with which builds are signed for the App Store and TestFlight. `id` is Apple's id of it."""

    provider = ProfileProvider
    full_name: Output[str]
    uuid: Output[str]
    team_id: Output[str]
    profile_state: Output[str]
    expires_at: Output[str]
    content: Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        name: Input[str],
        bundle_id: Input[str],
        certificate_ids: Input[list[Input[str]]],
        capabilities: Input[Capabilities],
        renew_before_days: Input[int] = 30,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        arguments: dict[str, Any] = {
            "name": name,
            "bundle_id": bundle_id,
            "certificate_ids": certificate_ids,
            "capabilities": capabilities,
            "renew_before_days": renew_before_days,
        }
        super().__init__(resource_name, arguments, opts)
