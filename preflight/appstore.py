"""Checks of App Store Connect: the key and its role, agreements, the app, certificates, testers, the build number."""

import functools
from collections.abc import Iterator
from pathlib import Path

from components.testflight.component import claims
from preflight.finding import SETTINGS, Check, Finding, NotChecked, Subject, blocked, ok, warning
from providers.appstore import build_numbers, survey
from providers.appstore.api import team
from providers.appstore.api.addresses import key as address_key
from providers.appstore.api.client import AppStore
from providers.appstore.api.errors import AgreementMissing, ClockWrong, KeyRejected, RoleMissing
from providers.appstore.api.objects import (
    App,
    BetaGroup,
    BuildUpload,
    BundleId,
    Certificate,
    Profile,
    Resource,
    UserInvitation,
)
from providers.appstore.app import AppArgs, form
from providers.appstore.build_upload import file_name, find_delivered
from providers.appstore.ipa import reader, versions
from providers.errors import ProviderError

KEY, ROLE, AGREEMENTS, CLOCK = "App Store key", "Key's role", "Agreements", "Clock"
MAX_CERTIFICATES = 3
"""Maximum number of distribution certificates of a team. Apple documents one of each type; teams report two or three."""


def key(subject: Subject) -> Iterator[Finding]:
    try:
        AppStore(subject.config).list_all(Certificate, doing="use the key")
    except ClockWrong:
        yield blocked("Apple refuses its tokens because of this computer's clock", f"fix the row {CLOCK} first")
    except (KeyRejected, RoleMissing) as error:
        what = "Apple refuses it" if isinstance(error, KeyRejected) else "it cannot read certificates"
        yield blocked(what, error.remedy)
    except AgreementMissing:
        yield ok("accepted")
    else:
        yield ok("accepted, and can read certificates")


def _with_key(check: Check) -> Check:
    """Decorator: a problem with the key or the agreements is reported once, in its own row, not by each check."""

    @functools.wraps(check)
    def checked(subject: Subject) -> Iterator[Finding]:
        try:
            AppStore(subject.config)
        except ProviderError:
            raise NotChecked(KEY) from None
        try:
            yield from check(subject)
        except (ClockWrong, KeyRejected):
            raise NotChecked(KEY) from None
        except AgreementMissing:
            raise NotChecked(AGREEMENTS) from None

    return checked


@_with_key
def agreements(subject: Subject) -> Iterator[Finding]:
    try:
        AppStore(subject.config).list_all(App, doing="check that the agreements are in effect")
    except AgreementMissing as error:
        yield blocked(
            "a required agreement is not signed, or has expired; Apple refuses every call until it is signed",
            error.remedy,
        )
        return
    yield ok("in effect")


@_with_key
def role(subject: Subject) -> Iterator[Finding]:
    """Whether the key may create all that this stack has to create. A read would not tell: each request here is empty, so Apple
    refuses it, and says whether the role is the reason."""
    ios, store = subject.settings.ios, AppStore(subject.config)
    creates: list[type[Resource]] = [BundleId, BetaGroup, BuildUpload]
    if ios.signing:
        creates.append(Profile)
        if not ios.signing.p12 and not subject.stack.resource_ids.get("appstore:Certificate"):
            creates.append(Certificate)
    if ios.invite_testers:
        creates.append(UserInvitation)
    denied = [kind for kind in creates if not store.may_create(kind)]
    if denied:
        yield blocked(f"it may not create {', '.join(kind.type for kind in denied)}", RoleMissing.remedy)
    else:
        yield ok(f"it may create {', '.join(kind.type for kind in creates)}")


@_with_key
def bundle_id(subject: Subject) -> Iterator[Finding]:
    identifier = subject.settings.ios.bundle_id
    if _bundle_id(subject):
        yield ok(f"{identifier} is registered to this team")
    else:
        yield ok(f"{identifier} will be registered by `up`; whether another team has it is only known then")


@_with_key
def app_record(subject: Subject) -> Iterator[Finding]:
    """The app record, which a person creates, after the bundle ID is registered."""
    ios = subject.settings.ios
    listed = AppStore(subject.config).list_all(
        App, doing=f"look up the app record of {ios.bundle_id}", query={"filter[bundleId]": ios.bundle_id}
    )
    found = next((app for app in listed if app.bundle_id == ios.bundle_id), None)
    if found:
        yield ok(f"{found.name}, Apple ID {found.id}")
        return
    instructions = form(
        AppArgs(bundle_id=ios.bundle_id, name=ios.app_name, sku=ios.sku, primary_locale=ios.primary_locale)
    )
    if ios.wait_for_app_record:
        yield warning(f"missing; `up` waits {ios.wait_for_app_record} s for a person to create it", instructions)
    elif not _bundle_id(subject):
        yield warning(
            "missing; the first `up` registers the bundle ID, then stops until the record exists",
            f"have the Account Holder ready: {instructions}",
        )
    else:
        yield blocked("missing", instructions)


@_with_key
def existing(subject: Subject) -> Iterator[Finding]:
    """What `up` adopts beside bundle ID and app record, which have their own rows."""
    if "appstore:Survey" in subject.stack.resource_ids or "appstore:BundleId" in subject.stack.resource_ids:
        yield ok("this is not a first deployment: the stack has its bundle ID already")
        return
    adopted = survey.look(AppStore(subject.config), claims(subject.settings.ios)).adopted
    used = [phrase for phrase in adopted if not phrase.startswith(("bundle ID", "the app record"))]
    yield from (warning(f"`up` adopts {phrase}", "`pulumi destroy` leaves it") for phrase in used)
    if not used:
        yield ok("none that `up` would adopt")


@_with_key
def certificates(subject: Subject) -> Iterator[Finding]:
    """Whether the certificate of the stack exists, or can be created."""
    signing = subject.settings.ios.signing
    if signing is None:
        yield ok("builds are signed elsewhere: `signing` is empty")
        return
    if signing.p12:
        yield ok("the certificate in `signingSecrets.p12` is used")
        return
    type = signing.certificate
    listed = AppStore(subject.config).list_all(
        Certificate, doing=f"look up the certificates of type {type}", query={"filter[certificateType]": type}
    )
    ours = [
        certificate
        for certificate in listed
        if certificate.id in subject.stack.resource_ids.get("appstore:Certificate", ())
    ]
    if ours:
        yield ok(f"the certificate of this stack is valid until {_day(ours[0])}")
        return
    in_use = ", ".join(f"{certificate.serial_number} until {_day(certificate)}" for certificate in listed)
    remedy = (
        "configure one of them (`signingSecrets.p12` and .password), or revoke an unused one at "
        "https://developer.apple.com/account/resources/certificates"
    )
    if len(listed) >= MAX_CERTIFICATES:
        yield blocked(f"{len(listed)} of {MAX_CERTIFICATES} are in use: {in_use}", remedy)
    elif listed:
        yield warning(
            f"{len(listed)} of {MAX_CERTIFICATES} are in use: {in_use}; some teams have a lower limit", remedy
        )
    else:
        yield ok(f"none of {MAX_CERTIFICATES} is in use")


@_with_key
def testers(subject: Subject) -> Iterator[Finding]:
    emails = [tester.email for tester in subject.settings.ios.testers]
    store = AppStore(subject.config)
    try:
        users = team.users(store, emails)
    except RoleMissing:
        yield warning(
            "this key cannot see the team's users",
            "compare `testers` with https://appstoreconnect.apple.com/access/users",
        )
        return
    missing = [email for email in emails if address_key(email) not in users]
    invited = team.by_email(store, UserInvitation, missing) if missing else {}
    inviting = subject.settings.ios.invite_testers
    for email in missing:
        if address_key(email) in invited:
            report = warning if inviting else blocked
            yield report(
                f"{email} has not accepted the invitation to the team", "ask them to accept it, in Apple's email"
            )
        elif inviting:
            yield warning(
                f"{email} is not a user of the team; `up` invites them",
                "tell them to accept the invitation in Apple's email",
            )
        else:
            yield blocked(
                f"{email} is not a user of the team; internal testers must be",
                "invite them at https://appstoreconnect.apple.com/access/users",
            )
    if not missing:
        yield ok(f"{len(emails)} of {len(emails)} are users of the team")


@_with_key
def build_number(subject: Subject) -> Iterator[Finding]:
    """Whether `up` can upload a build with this number: Apple accepts each number once, and only higher ones."""
    release, ios, store = subject.settings.release, subject.settings.ios, AppStore(subject.config)
    if not (versions.is_build(release.build) and versions.is_number(release.version)):
        raise NotChecked(SETTINGS)
    apps = _apps(store, ios.bundle_id)
    uploads = build_numbers.uploads(store, apps[0].id, release.version) if apps else []
    builds = build_numbers.builds(store, apps[0].id, release.version) if apps else []
    numbers = build_numbers.used(uploads, builds)
    label = f"{release.version} ({release.build})"
    wanted = versions.ordering(release.build)
    higher = [number for number in numbers if versions.ordering(number) >= wanted]
    taken = f"{release.version} already has {', '.join(higher)}, and Apple accepts higher numbers only"
    remedy = f"`make next-build` sets {versions.next_free(release.build, numbers)}; build the IPA with it"
    ours = subject.stack.resource_ids.get("appstore:BuildUpload", frozenset())
    if not ios.ipa:
        yield warning(f"`up` uploads no build; {taken}", remedy) if higher else ok(f"{label} is free")
    elif subject.is_uploaded and any(found.id in ours and found.state.state == "FAILED" for found in uploads):
        yield blocked(f"Apple has rejected {label}", remedy)
    elif subject.is_uploaded:
        yield ok(f"this stack has uploaded {label}")
    elif _is_adopted(subject, ios.ipa, uploads):
        yield ok(f"{label} is uploaded already, from {ios.ipa}: `up` adopts it")
    elif higher:
        yield blocked(taken, remedy)
    else:
        yield ok(f"{label} is free")


def _is_adopted(subject: Subject, ipa: Path, uploads: list[BuildUpload]) -> bool:
    """Whether Apple has received this IPA, for example in a run that ended before it was recorded. An IPA that `up` has still to
    archive will be another one."""
    ios, build, path = subject.settings.ios, subject.settings.release.build, subject.stack.folder / ipa
    commands = len(subject.stack.resource_ids.get("command:local:Command", ()))
    has_archive = not ios.is_archived or commands > bool(subject.settings.backend.image_build)
    candidates = [found for found in uploads if versions.ordering(found.cf_bundle_version) == versions.ordering(build)]
    if not (candidates and has_archive and path.exists()):
        return False
    return find_delivered(candidates, build, file_name(ios.bundle_id, reader.sha256(path))) is not None


def _apps(store: AppStore, bundle_id: str) -> list[App]:
    listed = store.list_all(App, doing=f"look up the app of {bundle_id}", query={"filter[bundleId]": bundle_id})
    return [app for app in listed if app.bundle_id == bundle_id]


def _bundle_id(subject: Subject) -> BundleId | None:
    identifier = subject.settings.ios.bundle_id
    listed = AppStore(subject.config).list_all(
        BundleId, doing=f"look up bundle ID {identifier}", query={"filter[identifier]": identifier}
    )
    return next((bundle_id for bundle_id in listed if bundle_id.identifier == identifier), None)


def _day(certificate: Certificate) -> str:
    return f"{certificate.expiration_date.moment:%Y-%m-%d}" if certificate.expiration_date else "an unknown day"
