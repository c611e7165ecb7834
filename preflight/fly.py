"""Fly.io: the token and what it is for, names, room, the image, the hostname."""

import functools
from collections.abc import Iterator
from typing import Any

from pulumi.dynamic import ConfigureRequest

from components.monitoring.settings import SUFFIX as MONITOR_SUFFIX
from preflight.finding import Check, Finding, NotLookedAt, Subject, blocked, ok, warning
from providers import configuration
from providers.errors import ProviderError
from providers.fly.api import certificates
from providers.fly.api.client import MACHINES_API, Fly, FlyError, Forbidden, NotFound, authorization, explain
from providers.fly.image import ImageArgs, ImageProvider
from providers.http import Http

ROW = "Fly token"
REMEDY = "make one with `fly tokens create org -o {org}`, and set FLY_API_TOKEN to it"
GIGABYTE = 1 << 30


def token(subject: Subject) -> Iterator[Finding]:
    org, remedy = subject.settings.backend.org, REMEDY.format(org=subject.settings.backend.org or "ORG")
    try:
        described = Fly(subject.config).call("GET", "/tokens/current", doing="say what the token is for")
    except FlyError as error:
        if error.status == 401:
            yield blocked("Fly does not accept it: it is wrong, or has expired", remedy)
            return
        described = {}
    except ProviderError as error:
        yield blocked(str(error))
        return
    tokens = (described or {}).get("tokens") or []
    apps = sorted({app for each in tokens for app in each.get("apps") or ()})
    wanted = [name for name in _app_names(subject) if name not in apps]
    if apps and (wanted or subject.settings.backend.unique_names):
        yield blocked(
            f"it is for {', '.join(apps)} alone, and the stack has {', '.join(wanted) or 'names of its own'}", remedy
        )
        return
    of = ", ".join(sorted({str(each.get("organization") or each.get("org_slug")) for each in tokens}))
    yield ok(f"accepted{f', of {of}' if of else ''}")
    if tokens and org and org not in {each.get("org_slug") for each in tokens}:
        yield blocked(f"it is not of the organisation {org!r}", remedy)


def _with_token(check: Check) -> Check:
    """A refused or missing token is told once, by the check of the token."""

    @functools.wraps(check)
    def checked(subject: Subject) -> Iterator[Finding]:
        try:
            Fly(subject.config)
        except ProviderError:
            raise NotLookedAt(ROW) from None
        try:
            yield from check(subject)
        except FlyError as error:
            if error.status == 401:
                raise NotLookedAt(ROW) from None
            raise

    return checked


@_with_token
def organisation(subject: Subject) -> Iterator[Finding]:
    org = subject.settings.backend.org
    params = {"org_slug": org, "limit": 1}
    try:
        Fly(subject.config).call("GET", "/apps", doing=f"list the apps of the organisation {org!r}", params=params)
    except (Forbidden, NotFound):
        remedy = f"correct solos:org (`fly orgs list` shows the slugs), or {REMEDY.format(org=org)}"
        yield blocked(f"there is no organisation {org!r}, or the token is not for it", remedy)
        return
    yield ok(org)


@_with_token
def app_name(subject: Subject) -> Iterator[Finding]:
    backend = subject.settings.backend
    if backend.unique_names:
        yield ok(f"{backend.app}-…, with an ending of its own: solos:uniqueNames")
        return
    for name in _app_names(subject):
        yield _name(subject, name)


def _name(subject: Subject, name: str) -> Finding:
    org = subject.settings.backend.org
    remedy = "choose another one: solos:app, or `app` in fly.toml"
    try:
        found = Fly(subject.config).call("GET", f"/apps/{name}", doing=f"look up the app {name!r}")
    except NotFound:
        return ok(f"{name} is free")
    except Forbidden:
        return blocked(f"{name} is taken by another organisation, or the token may not read it", remedy)
    owner = (found.get("organization") or {}).get("slug", "")
    if org not in (owner, "personal"):
        return blocked(f"{name} is of the organisation {owner!r}, not of {org!r}", remedy)
    if name in subject.stack.made.get("fly:App", ()):
        return ok(f"{name} is this stack's")
    return warning(
        f"{name} is there, made by somebody else than this stack: `up` takes it over",
        f"see what that changes first: `python -m adoption --stack {subject.stack.name}`",
    )


@_with_token
def region(subject: Subject) -> Iterator[Finding]:
    """Room for the machine with its volume, and for the monitor's."""
    settings = subject.settings
    machine, monitoring = settings.backend.fly_toml, settings.monitoring
    known = Fly(subject.config).call("GET", "/platform/regions", doing="list the regions")
    regions = {row.get("code"): row for row in known.get("regions") or ()}
    wanted: dict[str, Any] = {"compute": machine.guest} if machine.guest else {}
    if machine.mount:
        wanted["volume_size_bytes"] = machine.mount.initial_size_gb * GIGABYTE
    code, where = machine.primary_region or "", "primary_region of fly.toml"
    machines = len(subject.stack.made.get("fly:Machine", ()))
    yield ok(f"{code}: the machine is there") if machines else _room(subject, regions, code, wanted, where)
    if settings.backend.database.kind == "postgres" and regions.get(code, {}).get("mpg_available") is False:
        yield blocked(f"{code} has no Managed Postgres", f"choose another region: {where}")
    if monitoring and machines <= 1:
        yield _room(subject, regions, monitoring.region, {}, "solos:monitoring.region")


def _room(subject: Subject, regions: dict[Any, Any], code: str, wanted: dict[str, Any], where: str) -> Finding:
    if code not in regions:
        return blocked(f"there is no region {code!r} at Fly", f"correct {where}; `fly platform regions` lists them")
    if regions[code].get("deprecated"):
        return blocked(f"{code} is being closed by Fly", f"choose another region: {where}")
    body = {"org_slug": subject.settings.backend.org, "region": code, "count": 1, **wanted}
    answer = Fly(subject.config).call(
        "POST", "/platform/placements", doing=f"look for room in {code}", body=body, safe=True
    )
    if any(row.get("region") == code and row.get("count", 0) > 0 for row in answer.get("regions") or ()):
        return ok(f"{code} has room")
    return blocked(
        f"{code} has no room for such a machine now",
        f"try again later, use a smaller [[vm]], or choose another region: {where}",
    )


@_with_token
def image(subject: Subject) -> Iterator[Finding]:
    backend = subject.settings.backend
    if backend.image_build:
        yield ok(f"{backend.image} is built by `up`: solos:imageBuild")
        return
    provider = ImageProvider()
    provider.configure(ConfigureRequest(subject.config))
    _, resolved = provider.ensure(ImageArgs(reference=backend.image))
    yield ok(f"{backend.image} is {resolved.digest[:19]}…")


def hostname(subject: Subject) -> Iterator[Finding]:
    """Whether DNS leads a hostname of the team's own to the app."""
    if subject.settings.backend.domain:
        yield from _dns(subject)
    else:
        yield ok("the app's own, <app>.fly.dev: nothing to enter at a DNS provider")


@_with_token
def _dns(subject: Subject) -> Iterator[Finding]:
    """As Fly sees it."""
    backend = subject.settings.backend
    found = None if backend.unique_names else certificates.find(Fly(subject.config), backend.app, backend.domain)
    if found is None:
        yield warning(
            f"{backend.domain}: the first `up` asks for its certificate, and says what to enter at the DNS provider",
            "have somebody at hand who can; solos:waitForDomain says how long `up` waits for that",
        )
    elif found.get("configured"):
        yield ok(f"{backend.domain} leads to {backend.app}")
    else:
        yield blocked(f"{backend.domain} does not lead to {backend.app}", f"enter {certificates.to_enter(found)}")


def metrics_token(subject: Subject) -> Iterator[Finding]:
    """The read-only token that the monitor has."""
    if subject.settings.monitoring is None:
        yield ok("there is no monitor")
        return
    given, org = subject.settings.monitoring.metrics_token, subject.settings.backend.org
    if not given:
        raise NotLookedAt("Secrets")
    base = configuration.endpoint(subject.config, "fly", MACHINES_API)
    line = Http(base, service="Fly", authorize=lambda _again: authorization(given), explain=explain)
    try:
        line.request("GET", "/v1/apps", doing="use the monitor's token", params={"org_slug": org, "limit": 1})
    except FlyError as error:
        if error.status not in (401, 403):
            raise
        yield blocked(
            f"Fly does not accept the monitor's token for {org!r}",
            f"make one with `fly tokens create readonly -o {org}`: "
            "`pulumi config set --secret --path 'solos:monitoringSecrets.metricsToken'`",
        )
        return
    yield ok(f"the monitor's token reads {org}")


def _app_names(subject: Subject) -> list[str]:
    name = subject.settings.backend.app
    return [name, f"{name}{MONITOR_SUFFIX}"] if subject.settings.monitoring else [name]
