"""api.fly.io: log lines and release records of an app, and the metrics of an organisation."""

import re
from typing import Any, ClassVar

from werkzeug.wrappers import Request, Response

from rehearsal.cloud.fly import bodies, metrics
from rehearsal.cloud.fly.api import FlyApi, fly_error, forbidden
from rehearsal.cloud.fly.formats import public, random_id, rfc3339
from rehearsal.cloud.service import route

SECTIONS = """
    app primary_region kill_signal kill_timeout swap_size_mb console_command experimental build deploy env processes mounts
    http_service services checks files host_dedication_id machine_config container machine_checks restart vm statics metrics
""".split()  # noqa: SIM905 (easier to read than a column of strings)
"""The sections of a fly.toml, which a release contains as its definition."""
DEFINITION = dict.fromkeys(SECTIONS, (str, int, float, dict, list))
STRATEGIES = ("BLUEGREEN", "CANARY", "IMMEDIATE", "ROLLING", "ROLLING_ONE", "SIMPLE")
RELEASE = {"app_name": str, "strategy": str, "definition": DEFINITION, "image": str, "build_id": int}
FAILED_RESPONSES = re.compile(
    r'sum\(increase_pure\(fly_edge_http_responses_count\{app="(?P<app>[^"]+)",status=~"5\.\."\}\[(?P<seconds>\d+)s\]\)\)'
)
"""The only PromQL query that is implemented."""
RELEASE_STATUSES = ("running", "complete", "failed", "interrupted")


class Platform(FlyApi):
    """`/api/v1/apps/{name}/logs`, `/api/v1/releases`, and `/federate` and one query of `/prometheus/{org}`. GraphQL answers 501."""

    name: ClassVar[str] = "fly_platform"

    @route("GET", "/api/v1/apps/<name>/logs")
    def read_logs(self, request: Request, name: str) -> Any:
        self.app(request, name)
        wanted = request.args.get("instance")
        lines = (self.store.get("fly_logs", name) or {"lines": []})["lines"]
        return {"data": [line for line in lines if wanted in (None, line["attributes"]["instance"])]}

    @route("POST", "/api/v1/releases")
    def create_release(self, request: Request) -> Any:
        body = bodies.read(request, RELEASE, "CreateReleaseRequest")
        if body.get("strategy") not in STRATEGIES:
            raise bodies.refused(f"invalid strategy {body.get('strategy')!r}")
        with self.store.transaction():
            app = self.app(request, body.get("app_name") or "")
            version = self.store.count(f"fly_release {app['name']}")
            release = {
                "id": f"rel_{random_id(12)}",
                "version": version,
                "status": "pending",
                "image": body.get("image"),
                "definition": body.get("definition"),
                "strategy": body.get("strategy"),
                "created_at": rfc3339(self.context.clock.now()),
                "_app": app["name"],
            }
            self.store.put("fly_release", release["id"], release)
        return public(release), 201, {}

    @route("PATCH", "/api/v1/releases/<id>")
    def update_release(self, request: Request, id: str) -> Any:
        status = bodies.read(request, {"status": str, "metadata": {"*": str}}, "UpdateReleaseRequest").get("status")
        if status not in RELEASE_STATUSES:
            raise bodies.refused(f"invalid status {status!r}")
        with self.store.transaction():
            release = self.store.get("fly_release", id)
            if release is None:
                raise fly_error(404, "Release not found")
            self.app(request, release["_app"])
            return public(self.store.put("fly_release", id, {**release, "status": status}))

    @route("GET", "/prometheus/<org>/federate")
    def federate(self, request: Request, org: str) -> Any:
        if self.token(request)["org"] != org:
            raise forbidden()
        lines = []
        for match in request.args.getlist("match[]"):
            app, names = metrics.wanted(match)
            known = self.living_app(app or "")
            if app and known and known["organization"]["slug"] == org:
                series = metrics.of_app(app, self.machines, self.store, self.context.clock.now())
                lines += [line for name, line in series if names.fullmatch(name)]
        return Response("".join(f"{line}\n" for line in lines), content_type="text/plain; charset=utf-8")

    @route("GET", "/prometheus/<org>/api/v1/query")
    def query(self, request: Request, org: str) -> Any:
        if self.token(request)["org"] != org:
            raise forbidden()
        query = FAILED_RESPONSES.fullmatch(request.args.get("query", ""))
        if query is None:
            return {"status": "error", "errorType": "422", "error": "the double does not implement this query"}, 422, {}
        now = self.context.clock.now()
        failed = (self.store.get("fly_edge_failed", query["app"]) or {"at": []})["at"]
        count = sum(at > now - int(query["seconds"]) for at in failed)
        result = [{"metric": {}, "value": [now, str(count)]}] if failed else []
        return {"status": "success", "data": {"resultType": "vector", "result": result}}
