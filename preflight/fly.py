"""Checks of Fly.io: the token and its scope, names, capacity, the image, the hostname."""

import functools
from collections.abc import Iterator
from typing import Any

from pulumi.dynamic import ConfigureRequest

from components.backend.component import claims
from components.monitoring.settings import SUFFIX as MONITOR_SUFFIX
from preflight.finding import SETTINGS, Check, Finding, NotChecked, Subject, Verdict, blocked, ok, warning
from providers import configuration
from providers.errors import ProviderError
from providers.fly import survey
from providers.fly.api import apps, certificates, machines, platform, secrets, volumes
from providers.fly.api.client import MACHINES_API, Fly, FlyError, Forbidden, NotFound, authorization, explain
from providers.fly.image import FLY_REGISTRY, ImageArgs, ImageProvider, is_reference, parse
from providers.http import Http

ROW = "Fly token"
REMEDY = "create one with `fly tokens create org -o {org}`, and set FLY_API_TOKEN to it"
GIGABYTE = 1 << 30


def token(subject: Subject) -> Iterator[Finding]:
    org, remedy = subject.settings.backend.org, REMEDY.format(org=subject.settings.backend.org or "ORG")
    try:
        tokens = platform.current_tokens(Fly(subject.config))
    except FlyError as error:
        if error.status == 401:
            yield blocked("Fly refuses it: it is invalid or has expired", remedy)
            return
        tokens = []
    except ProviderError as error:
        yield blocked(error.message, error.remedy)
        return
    only = sorted({app for token in tokens for app in token.apps})
    wanted = [name for name in _app_names(subject) if name not in only]
    if only and (wanted or subject.settings.backend.unique_names):
        yield blocked(
            f"it is limited to {', '.join(only)}; the stack has {', '.join(wanted) or 'unique names'}", remedy
        )
        return
    of = ", ".join(sorted({token.organization or token.org_slug for token in tokens}))
    yield ok(f"accepted{f', of {of}' if of else ''}")
    if tokens and org and org not in {token.org_slug for token in tokens}:
        yield blocked(f"it does not belong to organisation {org!r}", remedy)


def _with_token(check: Check) -> Check:
    """Decorator: a refused or missing token is reported once, in its own row, not by each check."""

    @functools.wraps(check)
    def checked(subject: Subject) -> Iterator[Finding]:
        try:
            Fly(subject.config)
        except ProviderError:
            raise NotChecked(ROW) from None
        try:
            yield from check(subject)
        except FlyError as error:
            if error.status == 401:
                raise NotChecked(ROW) from None
            raise

    return checked


@_with_token
def organisation(subject: Subject) -> Iterator[Finding]:
    org = subject.settings.backend.org
    try:
        platform.can_list_apps(Fly(subject.config), org)
    except (Forbidden, NotFound):
        remedy = f"fix `org` (`fly orgs list` shows the slugs), or {REMEDY.format(org=org)}"
        yield blocked(f"no organisation {org!r}, or the token has no access to it", remedy)
        return
    yield ok(org)


@_with_token
def app_name(subject: Subject) -> Iterator[Finding]:
    backend = subject.settings.backend
    if backend.unique_names:
        yield ok(f"{backend.app}-…, with a random suffix: `uniqueNames`")
        return
    for name in _app_names(subject):
        yield _name(subject, name)


def _name(subject: Subject, name: str) -> Finding:
    org = subject.settings.backend.org
    remedy = "choose another name: `app`, or `app` in fly.toml"
    try:
        found = apps.look_up(Fly(subject.config), name)
    except NotFound:
        return ok(f"{name} is free")
    except Forbidden:
        return blocked(f"{name} is taken by another organisation, or the token cannot read it", remedy)
    owner = found.organization.slug
    if org not in (owner, "personal"):
        return blocked(f"{name} belongs to organisation {owner!r}, not {org!r}", remedy)
    if name in subject.stack.resource_ids.get("fly:App", ()):
        return ok(f"{name} belongs to this stack")
    return warning(
        f"{name} exists and is not in this stack: `up` adopts it",
        f"see what that changes first: `python -m adoption --stack {subject.stack.name}`",
    )


@_with_token
def existing(subject: Subject) -> Iterator[Finding]:
    """Whether this is a first deployment, and otherwise what `up` would adopt. It refuses what `up` would refuse."""
    backend = subject.settings.backend
    if "fly:Survey" in subject.stack.resource_ids or "fly:App" in subject.stack.resource_ids:
        yield ok("this is not a first deployment: the stack has its app already")
        yield from _staged(subject)
        return
    if backend.unique_names:
        yield ok("none: each stack has an app of its own, `uniqueNames`")
        return
    adopted = survey.look(Fly(subject.config), claims(backend, backend.app)).adopted
    for phrase in adopted:
        yield warning(f"`up` adopts {phrase}")
    if adopted:
        yield warning(
            "this is not a first deployment, but the state of the stack is empty",
            "if the state was lost, restore it first (`pulumi stack import`); `pulumi destroy` leaves what was adopted",
        )
    else:
        yield ok("none: this is a first deployment")


def _staged(subject: Subject) -> Iterator[Finding]:
    """Secrets that somebody has set without a deployment: `up` takes them along as soon as it updates the machine."""
    fly = Fly(subject.config)
    for app in sorted(subject.stack.resource_ids.get("fly:App", ())):
        try:
            staged = secrets.staged(secrets.list_all(fly, app).secrets, machines.living(fly, app))
        except NotFound:
            continue
        if staged:
            yield warning(
                f"secrets of {app} are staged, and its next update takes them along: {', '.join(staged)}",
                f"find out who has set them, or unset them: `fly secrets unset NAME --stage -a {app}`",
            )


@_with_token
def region(subject: Subject) -> Iterator[Finding]:
    """Capacity for the machine with its volume, and for the monitor."""
    settings = subject.settings
    machine, monitoring = settings.backend.fly_toml, settings.monitoring
    regions = platform.regions(Fly(subject.config))
    wanted: dict[str, Any] = {"compute": machine.guest} if machine.guest else {}
    if machine.mount:
        wanted["volume_size_bytes"] = machine.mount.initial_size_gb * GIGABYTE
    code, where = machine.primary_region or "", "primary_region of fly.toml"
    count = len(subject.stack.resource_ids.get("fly:Machine", ()))
    yield ok(f"{code}: the machine exists") if count else _capacity(subject, regions, code, wanted, where)
    yield from _hosts(subject)
    makes_cluster = (
        settings.backend.database.kind == "postgres" and "fly:ManagedPostgres" not in subject.stack.resource_ids
    )
    if makes_cluster and code in regions and not regions[code].mpg_available:
        yield blocked(f"{code} has no Managed Postgres", f"choose another region: {where}")
    if monitoring and count <= 1:
        yield _capacity(subject, regions, monitoring.region, {}, "monitoring.region")


def _hosts(subject: Subject) -> Iterator[Finding]:
    """The machines and volumes of the stack whose host Fly cannot reach: `up` would change nothing of them."""
    fly = Fly(subject.config)
    for app in sorted(subject.stack.resource_ids.get("fly:App", ())):
        living = machines.living(fly, app)
        checks = [functools.partial(machines.check_host, app, machine) for machine in living]
        if living:
            disks = [volume for volume in volumes.list_all(fly, app) if not volume.is_gone]
            checks += [functools.partial(volumes.check_host, app, volume) for volume in disks]
        for check in checks:
            try:
                check()
            except ProviderError as error:
                yield blocked(error.message, error.remedy)


def _capacity(
    subject: Subject, regions: dict[str, platform.Region], code: str, wanted: dict[str, Any], where: str
) -> Finding:
    if code not in regions:
        return blocked(f"no region {code!r} at Fly", f"fix {where}; `fly platform regions` lists them")
    if regions[code].deprecated:
        return blocked(f"{code} is deprecated by Fly", f"choose another region: {where}")
    if platform.has_capacity(Fly(subject.config), subject.settings.backend.org, code, wanted):
        return ok(f"{code} has capacity")
    return blocked(
        f"{code} has no capacity for this machine now",
        f"try again later, use a smaller [[vm]], or choose another region: {where}",
    )


@_with_token
def image(subject: Subject) -> Iterator[Finding]:
    backend = subject.settings.backend
    if not is_reference(backend.image):
        raise NotChecked(SETTINGS)
    reference = parse(backend.image)
    problem = _repository(subject, reference.repository) if reference.host == FLY_REGISTRY else None
    if problem:
        yield problem
    if problem and problem.verdict is Verdict.BLOCKED:
        return
    if backend.image_build:
        yield ok(f"{backend.image} is built by `up`: `imageBuild`")
        return
    provider = ImageProvider()
    provider.configure(ConfigureRequest(subject.config))
    _, resolved = provider.ensure(ImageArgs(reference=backend.image))
    yield ok(f"{backend.image} is {resolved.digest[:19]}…")


def _repository(subject: Subject, app: str) -> Finding | None:
    """What is wrong with the app whose repository at registry.fly.io has the image. Fly takes no push without that app."""
    org, is_built = subject.settings.backend.org, subject.settings.backend.image_build is not None
    push = (
        "then run `pulumi up`, which builds and pushes the image"
        if is_built
        else "then push the image (infra-docs/PRODUCTION_DEPLOYMENT.md, Push the image)"
    )
    missing = warning if is_built else blocked  # The command of `imageBuild` may create the app.
    try:
        apps.look_up(Fly(subject.config), app)
    except NotFound:
        return missing(
            f"{FLY_REGISTRY}/{app} takes no push: there is no app {app}",
            f"`fly apps create {app} -o {org}`, `fly auth docker`, {push}",
        )
    except Forbidden:
        return blocked(
            f"{FLY_REGISTRY}/{app} takes no push: the app {app} belongs to another organisation",
            f"create an app of another name for the images, set `image` to its repository, {push}",
        )
    return None


def hostname(subject: Subject) -> Iterator[Finding]:
    """Whether the DNS records of a custom hostname point to the app."""
    if subject.settings.backend.domain:
        yield from _dns(subject)
    else:
        yield ok("the app's own, <app>.fly.dev: needs no DNS records")


@_with_token
def _dns(subject: Subject) -> Iterator[Finding]:
    """Whether Fly sees the DNS records."""
    backend = subject.settings.backend
    found = None if backend.unique_names else certificates.find(Fly(subject.config), backend.app, backend.domain)
    if found is None:
        yield warning(
            f"{backend.domain}: the first `up` requests its certificate, and prints the DNS records to create",
            "have somebody ready who can create them; `waitForDomain` is how long `up` waits",
        )
    elif found.configured:
        yield ok(f"{backend.domain} points to {backend.app}")
    elif backend.wait_for_domain:
        yield warning(
            f"{backend.domain} does not point to {backend.app}; `up` waits {backend.wait_for_domain} s for that",
            f"create the DNS records {certificates.to_enter(found)}",
        )
    else:
        yield blocked(
            f"{backend.domain} does not point to {backend.app}",
            f"create the DNS records {certificates.to_enter(found)}",
        )


def metrics_token(subject: Subject) -> Iterator[Finding]:
    """The read-only token of the monitor."""
    if subject.settings.monitoring is None:
        yield ok("monitoring is not configured")
        return
    given, org = subject.settings.monitoring.metrics_token, subject.settings.backend.org
    if not given:
        raise NotChecked("Secrets")
    base = configuration.endpoint(subject.config, "fly", MACHINES_API)
    line = Http(base, service="Fly", authorize=lambda _again: authorization(given), explain=explain)
    try:
        line.request("GET", "/v1/apps", doing="check the monitor's token", params={"org_slug": org, "limit": 1})
    except FlyError as error:
        if error.status not in (401, 403):
            raise
        yield blocked(
            f"Fly refuses the monitor's token for {org!r}",
            f"create one with `fly tokens create readonly -o {org}`: "
            f"`pulumi config set --secret --path 'monitoringSecrets.metricsToken' --stack {subject.stack.name}`",
        )
        return
    yield ok(f"the monitor's token can read {org}")


def _app_names(subject: Subject) -> list[str]:
    name = subject.settings.backend.app
    return [name, f"{name}{MONITOR_SUFFIX}"] if subject.settings.monitoring else [name]
