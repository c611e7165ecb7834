"""App Store Connect: the key and its role, agreements, the app, certificates, testers, the build number."""

import functools
from collections.abc import Iterator

from preflight.finding import Check, Finding, NotLookedAt, Subject, blocked, ok, warning
from providers.appstore.api import team
from providers.appstore.api.client import AppStore
from providers.appstore.api.errors import AgreementMissing, ClockWrong, KeyRejected, RoleMissing
from providers.appstore.api.objects import App, Build, BundleId, Certificate, UserInvitation, instant
from providers.appstore.app import AppArgs, form
from providers.appstore.ipa import versions
from providers.errors import ProviderError

KEY, AGREEMENTS, CLOCK = "App Store key", "Agreements", "Clock"
CERTIFICATES = 3
"""Distribution certificates that a team may have: Apple's documentation says one of each type, teams have seen two and three."""


def key(subject: Subject) -> Iterator[Finding]:
    try:
        AppStore(subject.config).list_all(Certificate, doing="use the key")
    except ClockWrong:
        yield blocked(
            "Apple does not accept its token, which this computer's clock has dated", f"see to the row {CLOCK} first"
        )
    except (KeyRejected, RoleMissing) as error:
        what = "Apple does not accept it" if isinstance(error, KeyRejected) else "it may not read certificates"
        yield blocked(what, error.remedy)
    except AgreementMissing:
        yield ok("accepted")
    else:
        yield ok("accepted, and may read certificates; whether it may make one shows only when `up` does")


def _with_key(check: Check) -> Check:
    """What is wrong with the whole account is told once, by the row that is about it."""

    @functools.wraps(check)
    def checked(subject: Subject) -> Iterator[Finding]:
        try:
            AppStore(subject.config)
        except ProviderError:
            raise NotLookedAt(KEY) from None
        try:
            yield from check(subject)
        except (ClockWrong, KeyRejected):
            raise NotLookedAt(KEY) from None
        except AgreementMissing:
            raise NotLookedAt(AGREEMENTS) from None

    return checked


@_with_key
def agreements(subject: Subject) -> Iterator[Finding]:
    try:
        AppStore(subject.config).list_all(App, doing="look whether the agreements are in effect")
    except AgreementMissing as error:
        yield blocked("a required agreement is not signed, or has expired: nothing works until it is", error.remedy)
        return
    yield ok("in effect")


@_with_key
def bundle_id(subject: Subject) -> Iterator[Finding]:
    identifier = subject.settings.ios.bundle_id
    if _bundle_id(subject):
        yield ok(f"{identifier} is registered to this team")
    else:
        yield ok(f"{identifier} is registered by `up`; whether another team has it shows only then")


@_with_key
def app_entry(subject: Subject) -> Iterator[Finding]:
    """The entry that only people can make, and only for a bundle ID that is registered."""
    ios = subject.settings.ios
    listed = AppStore(subject.config).list_all(
        App, doing=f"look up the app entry of {ios.bundle_id}", query={"filter[bundleId]": ios.bundle_id}
    )
    found = next((each for each in listed if each.bundle_id == ios.bundle_id), None)
    if found:
        yield ok(f"{found.name}, Apple ID {found.id}")
        return
    instructions = form(
        AppArgs(bundle_id=ios.bundle_id, name=ios.app_name, sku=ios.sku, primary_locale=ios.primary_locale)
    )
    if ios.wait_for_app_entry:
        yield warning(f"not there; `up` waits {ios.wait_for_app_entry} s for somebody to make it", instructions)
    elif not _bundle_id(subject):
        yield warning(
            "not there; the first `up` registers the bundle ID, and stops for it",
            f"have the account holder at hand: {instructions}",
        )
    else:
        yield blocked("not there", instructions)


@_with_key
def certificates(subject: Subject) -> Iterator[Finding]:
    """Whether a certificate of the type that the stack wants can be made, or is there."""
    signing = subject.settings.ios.signing
    if signing is None:
        yield ok("builds are signed elsewhere: solos:signing is empty")
        return
    if signing.p12:
        yield ok("the one in solos:signingSecrets.p12 is taken over")
        return
    type = signing.certificate
    listed = AppStore(subject.config).list_all(
        Certificate, doing=f"look up the certificates of type {type}", query={"filter[certificateType]": type}
    )
    ours = [each for each in listed if each.id in subject.stack.made.get("appstore:Certificate", ())]
    if ours:
        yield ok(f"this stack's is there, until {_day(ours[0])}")
        return
    there = ", ".join(f"{each.serial_number} until {_day(each)}" for each in listed)
    remedy = (
        "give the stack one of them (solos:signingSecrets.p12 and .password), or revoke one that nobody needs at "
        "https://developer.apple.com/account/resources/certificates"
    )
    if len(listed) >= CERTIFICATES:
        yield blocked(f"{len(listed)} of {CERTIFICATES} are taken: {there}", remedy)
    elif listed:
        yield warning(f"{len(listed)} of {CERTIFICATES} are taken: {there}; to some teams Apple gives fewer", remedy)
    else:
        yield ok(f"none of {CERTIFICATES} is taken")


@_with_key
def testers(subject: Subject) -> Iterator[Finding]:
    emails = [tester.email for tester in subject.settings.ios.testers]
    store = AppStore(subject.config)
    users = team.users(store, emails)
    missing = [email for email in emails if team.key(email) not in users]
    invited = team.by_email(store, UserInvitation, missing) if missing else {}
    inviting = subject.settings.ios.invite_testers
    for email in missing:
        if team.key(email) in invited:
            waits = warning if inviting else blocked
            yield waits(
                f"{email} is invited as a user of the team, and has not accepted", "ask them to, by Apple's e-mail"
            )
        elif inviting:
            yield warning(f"{email} is no user of the team; `up` invites them", "tell them of Apple's e-mail")
        else:
            yield blocked(
                f"{email} is no user of the team, and only users can test internally",
                "invite them at https://appstoreconnect.apple.com/access/users",
            )
    if not missing:
        yield ok(f"{len(emails)} of {len(emails)} are users of the team")


@_with_key
def build_number(subject: Subject) -> Iterator[Finding]:
    """Whether Apple would take the number: above all others of the version, unless this stack has brought it there."""
    release, store = subject.settings.release, AppStore(subject.config)
    builds = store.list_all(
        Build,
        doing=f"look up the builds of {release.version}",
        query={
            "filter[app]": [each.id for each in _apps(store, subject.settings.ios.bundle_id)] or "none",
            "filter[preReleaseVersion.version]": versions.spellings(release.version),
        },
    )
    numbers = [build.version for build in builds]
    wanted = versions.ordering(release.build)
    if subject.stack.made.get("appstore:ProcessedBuild", frozenset()) & {build.id for build in builds}:
        yield ok(f"{release.version} ({release.build}): this stack has brought {', '.join(numbers)} there")
        return
    higher = [number for number in numbers if versions.ordering(number) >= wanted]
    if higher:
        yield blocked(
            f"Apple has {', '.join(higher)} of {release.version} already, and takes higher numbers only",
            f"`pulumi config set build {versions.next_free(release.build, numbers)}`, and build the IPA with it",
        )
    else:
        yield ok(f"{release.build} is free for {release.version}")


def _apps(store: AppStore, bundle_id: str) -> list[App]:
    listed = store.list_all(App, doing=f"look up the app of {bundle_id}", query={"filter[bundleId]": bundle_id})
    return [each for each in listed if each.bundle_id == bundle_id]


def _bundle_id(subject: Subject) -> BundleId | None:
    identifier = subject.settings.ios.bundle_id
    listed = AppStore(subject.config).list_all(
        BundleId, doing=f"look up bundle ID {identifier}", query={"filter[identifier]": identifier}
    )
    return next((each for each in listed if each.identifier == identifier), None)


def _day(certificate: Certificate) -> str:
    return f"{instant(certificate.expiration_date):%Y-%m-%d}" if certificate.expiration_date else "an unknown day"
