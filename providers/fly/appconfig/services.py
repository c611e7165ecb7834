"""What the machine serves and how it is checked: [http_service], [[services]] and [checks] of fly.toml."""

from collections.abc import Iterator
from typing import Any

import msgspec

from providers.errors import ProblemText
from providers.fly.api.config_view import Config
from providers.fly.api.durations import seconds_of
from providers.fly.appconfig.tables import MISSING, Table

AUTOSTOP = {"off": False, "stop": True, "suspend": "suspend", False: False, True: True}
MAX_PORT = 65535
MAX_PLAIN = 1e21
"""Go prints larger whole numbers with an exponent."""
MIN_CHECK_INTERVAL, MAX_CHECK_TIMEOUT = 2.0, 60.0
"""Seconds, for a check in [checks]: flyctl refuses others. Fly caps those of services."""

OTHER_GROUP = ProblemText("fly.toml", "names the process group {group!r}, but there is only {name!r}")
NO_GROUP = ProblemText("fly.toml", 'needs processes = ["{name}"], because [processes] names that group')
NO_PORT = ProblemText("fly.toml", "port is missing, and there is no [http_service] to take it from")
SHORT_INTERVAL = ProblemText("fly.toml", "must be at least {seconds:g}s")
LONG_TIMEOUT = ProblemText("fly.toml", "must be at most {seconds:g}s")
BAD_AUTOSTOP = ProblemText("fly.toml", "must be off, stop or suspend")
BAD_LIMITS = ProblemText("fly.toml", "{value!r} is not a soft and a hard limit: write [services.concurrency]")
BAD_HEADERS = ProblemText("fly.toml", "must be a table of strings")


class ProcessGroup(msgspec.Struct, frozen=True):
    """The only process group. With `is_named`, [processes] names it, and flyctl requires each service to name it too."""

    name: str = "app"
    is_named: bool = False

    def take(self, table: Table) -> None:
        """Read `processes` of a section, which has to name this group if it names any."""
        groups = table.take("processes", list, [])
        if groups and self.name not in groups:
            table.report(OTHER_GROUP(group=groups[0], name=self.name), "processes")

    def take_of_service(self, table: Table) -> None:
        if self.is_named and not table.values.get("processes"):
            table.report_missing(NO_GROUP(name=self.name), "processes")
        self.take(table)


def http_service(top: Table, group: ProcessGroup) -> Iterator[Config]:
    """The service of [http_service], if there is one."""
    table = top.table("http_service")
    if table is None:
        return
    force_https = table.take("force_https", bool)
    http, tls = _http_options(table), _tls_options(table)
    checks = [_service_check(check, "http") for check in table.tables("checks", single=False)]
    service = _service(table, group, checks, older=False)
    service["protocol"] = "tcp"
    service["ports"] = [
        present(port=80, handlers=["http"], force_https=force_https or None, http_options=http),
        present(port=443, handlers=["http", "tls"], http_options=http, tls_options=tls),
    ]
    table.done()
    yield service


def services(top: Table, group: ProcessGroup) -> Iterator[Config]:
    """The services of [[services]]. Like flyctl, this reads the forms of older files too: a port as a string, the number of a check's
    milliseconds, a list of headers, both limits of `concurrency` in one string."""
    for table in top.tables("services"):
        if not table.values:
            continue
        protocol = table.one_of("protocol", ("tcp", "udp")) or "tcp"
        ports = [_port(port) for port in table.tables("ports")]
        checks = [_service_check(check, "tcp", older=True) for check in table.tables("tcp_checks")]
        checks += [_service_check(check, "http", older=True) for check in table.tables("http_checks")]
        service = _service(table, group, checks, older=True)
        table.done()
        yield {**service, "protocol": protocol, **({"ports": ports} if ports else {})}


def checks(top: Table, group: ProcessGroup, served: Config | None) -> Config:
    """The checks of [checks]; one without a port takes the `internal_port` of `served`, the service of [http_service]."""
    found: Config = {}
    for name, table in _named_checks(top):
        group.take(table)
        kind = table.one_of("type", ("http", "tcp"), needed=True)
        port = table.number("port", 1, MAX_PORT) or (served or {}).get("internal_port")
        if port is None and served is None:
            table.report_missing(NO_PORT(), "port", ("http_service",))
        check = {"type": kind, **present(port=port), **_timing(table, older=True), **_request(table, older=True)}
        if "interval" in check and seconds_of(check["interval"]) < MIN_CHECK_INTERVAL:
            table.report(SHORT_INTERVAL(seconds=MIN_CHECK_INTERVAL), "interval")
        if "timeout" in check and seconds_of(check["timeout"]) > MAX_CHECK_TIMEOUT:
            table.report(LONG_TIMEOUT(seconds=MAX_CHECK_TIMEOUT), "timeout")
        if "method" in check:
            check["method"] = check["method"].upper()
        table.done()
        found[name] = check
    return found


def _named_checks(top: Table) -> Iterator[tuple[str, Table]]:
    """The tables [checks.<name>], or [[checks]] with a `name`."""
    if isinstance(top.values.get("checks"), list):
        for table in top.tables("checks"):
            yield table.needed("name", str) or "", table
        return
    section = top.table("checks")
    for name in list(section.values) if section else ():
        if section and (check := section.table(name)):
            yield name, check


def present(**values: Any) -> Config:
    """The values that are not None."""
    return {key: value for key, value in values.items() if value is not None}


def _service(table: Table, group: ProcessGroup, checks: list[Config], *, older: bool) -> Config:
    group.take_of_service(table)
    autostop = table.take("auto_stop_machines", (str, bool))
    if autostop not in (None, *AUTOSTOP):
        table.report(BAD_AUTOSTOP(), "auto_stop_machines")
    if "internal_port" not in table.values:
        table.report_missing(MISSING(name="internal_port"), "internal_port")
    read = table.port if older else table.number
    return present(
        internal_port=read("internal_port", 1, MAX_PORT),
        autostop=AUTOSTOP.get(autostop),
        autostart=table.take("auto_start_machines", bool),
        min_machines_running=table.take("min_machines_running", int),
        concurrency=_concurrency(table),
        checks=checks or None,
    )


def _port(table: Table) -> Config:
    proxy = table.table("proxy_proto_options")
    port = present(
        port=table.port("port", 1, MAX_PORT),
        start_port=table.number("start_port", 1, MAX_PORT),
        end_port=table.number("end_port", 1, MAX_PORT),
        handlers=table.strings("handlers"),
        force_https=table.take("force_https", bool) or None,
        http_options=_http_options(table),
        tls_options=_tls_options(table),
        proxy_proto_options=present(version=proxy.take("version", str)) if proxy else None,
    )
    if proxy:
        proxy.done()
    table.done()
    return port


def _http_options(parent: Table) -> Config | None:
    table = parent.table("http_options")
    if table is None:
        return None
    options = present(
        compress=table.take("compress", bool),
        h2_backend=table.take("h2_backend", bool),
        idle_timeout=table.take("idle_timeout", int),
        headers_read_timeout=table.take("headers_read_timeout", int),
        response=_response(table),
        replay_cache=[_replay_cache(cache) for cache in table.tables("replay_cache", single=False)] or None,
    )
    table.done()
    return options


def _response(parent: Table) -> Config | None:
    table = parent.table("response")
    if table is None:
        return None
    response = present(headers=table.take("headers", dict), pristine=table.take("pristine", bool))
    table.done()
    return response


def _replay_cache(table: Table) -> Config:
    cache = present(
        path_prefix=table.needed("path_prefix", str),
        ttl_seconds=table.needed("ttl_seconds", int),
        type=table.one_of("type", ("cookie", "header"), needed=True),
        name=table.needed("name", str),
        allow_bypass=table.take("allow_bypass", bool) or None,
    )
    table.done()
    return cache


def _tls_options(parent: Table) -> Config | None:
    table = parent.table("tls_options")
    if table is None:
        return None
    options = present(
        alpn=table.strings("alpn"),
        versions=table.strings("versions"),
        default_self_signed=table.take("default_self_signed", bool),
    )
    table.done()
    return options


def _service_check(table: Table, kind: str, *, older: bool = False) -> Config:
    request = _request(table, older=older) if kind == "http" else {}
    check = {"type": kind, **_timing(table, older=older), **request}
    table.done()
    return check


def _timing(table: Table, *, older: bool) -> Config:
    """When a check runs; with `older`, durations can be numbers of milliseconds."""
    unit = "ms" if older else ""
    return present(**{name: table.duration(name, bare_unit=unit) for name in ("interval", "timeout", "grace_period")})


def _request(table: Table, *, older: bool) -> Config:
    headers = _headers(table, older=older)
    return present(
        method=table.take("method", str),
        path=table.take("path", str),
        protocol=table.one_of("protocol", ("http", "https")),
        tls_skip_verify=table.take("tls_skip_verify", bool),
        tls_server_name=table.take("tls_server_name", str),
        headers=[{"name": name, "values": [value]} for name, value in sorted(headers.items())] or None,
    )


def _headers(table: Table, *, older: bool) -> dict[str, str]:
    """The headers that a check sends. Older files have a list of names and values, and values of any type."""
    found = table.take("headers", (dict, list) if older else dict, {})
    headers: dict[str, Any] = found if isinstance(found, dict) else {}
    if isinstance(found, list):
        headers = {str(item.get("name")): item.get("value", "") for item in found if isinstance(item, dict)}
    if older:
        headers = {name: text(value) for name, value in headers.items()}
    if not all(isinstance(word, str) for word in (*headers, *headers.values())):
        table.report(BAD_HEADERS(), "headers")
    return headers


def text(value: object) -> str:
    """A value as Go prints it, which flyctl does where it needs a text."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < MAX_PLAIN else str(value)


def _concurrency(parent: Table) -> Config | None:
    if isinstance(limits := parent.values.get("concurrency"), str) and parent.path != ("http_service",):
        parent.take("concurrency", str)
        soft, _, hard = limits.partition(",")
        if not (soft.isdecimal() and hard.isdecimal()):
            parent.report(BAD_LIMITS(value=limits), "concurrency")
            return None
        return {"type": "requests", "soft_limit": int(soft), "hard_limit": int(hard)}
    table = parent.table("concurrency")
    if table is None:
        return None
    concurrency = present(
        type=table.one_of("type", ("connections", "requests")),
        soft_limit=table.take("soft_limit", int),
        hard_limit=table.take("hard_limit", int),
    )
    table.done()
    return concurrency
