"""api.fly.io: log lines and release records of an app, and the metrics of an organisation."""

import re
from typing import Any, ClassVar

from werkzeug.wrappers import Request, Response

from rehearsal.cloud.fly import bodies, metrics
from rehearsal.cloud.fly.api import FlyApi, fly_error, forbidden
from rehearsal.cloud.fly.flyctl import ForFlyctl
from rehearsal.cloud.fly.formats import random_id, rfc3339
from rehearsal.cloud.service import route
from rehearsal.cloud.store import Document

SECTIONS = """
    app primary_region kill_signal kill_timeout swap_size_mb console_command experimental build deploy env processes mounts
    http_service services checks files host_dedication_id machine_config container machine_checks restart vm statics metrics
""".split()  # noqa: SIM905 (easier to read than a column of strings)
"""The sections of a fly.toml, which a release contains as its definition."""
DEFINITION = dict.fromkeys(SECTIONS, (str, int, float, dict, list))
STRATEGIES = ("BLUEGREEN", "CANARY", "IMMEDIATE", "ROLLING", "ROLLING_ONE", "SIMPLE")
RELEASE = {"app_name": str, "strategy": str, "definition": DEFINITION, "image": str, "build_id": int}
UPDATE = {"status": str, "metadata": {"*": (dict, list, str, int, float, bool)}}
FAILED_RESPONSES = re.compile(
    r'sum\(increase_pure\(fly_edge_http_responses_count\{app="(?P<app>[^"]+)",status=~"5\.\."\}\[(?P<seconds>\d+)s\]\)\)'
)
"""The only PromQL query that is implemented."""
RELEASE_STATUSES = ("running", "complete", "failed", "interrupted")
SHOWN = ("id", "version", "status", "stable", "in_progress", "strategy", "user", "created_at", "image_ref")
"""The fields of a release that Fly returns."""
GRAPHQL = "/graphql"
TELEMETRY = re.compile(r"/prometheus/|/api/v1/apps/[^/]+/logs$")
MACAROONS = ("fm1r_", "fm1a_", "fm2_")


class Platform(ForFlyctl, FlyApi):
    """`/api/v1/apps/{name}/logs` and `…/releases`, `/api/v1/releases`, and `/federate` and one query of `/prometheus/{org}`.

    Releases take a token of any kind as `Bearer` only; logs and metrics take a macaroon as `FlyV1` only; GraphQL takes both.
    """

    name: ClassVar[str] = "fly_platform"

    def token(self, request: Request) -> Document:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if TELEMETRY.match(request.path):
            is_right = scheme == "FlyV1" or not token.strip().startswith(MACAROONS)
        else:
            is_right = scheme == "Bearer" or request.path == GRAPHQL
        if not is_right:
            raise fly_error(401, f"this endpoint does not take the scheme {scheme}")
        return super().token(request)

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
            image = body.get("image") or ""
            if not self._finds(image):
                raise fly_error(404, f"Could not find image {image}")
            release = {
                "id": f"rel_{random_id(12)}",
                "version": self.store.count(f"fly_release {app['name']}"),
                "status": "pending",
                "stable": False,
                "in_progress": True,
                "strategy": body.get("strategy"),
                "user": "rehearsal@sollabs.example",
                "created_at": rfc3339(self.context.clock.now()),
                "image_ref": image,
                "definition": body.get("definition"),
                "_app": app["name"],
            }
            self.store.put("fly_release", release["id"], release)
        return {"release": _shown(release)}, 201, {}

    def _finds(self, reference: str) -> bool:
        """Whether the image is known by its tag. By digest it is known only if `found_by_digest` was set when it was pushed:
        whether Fly finds digests is not documented."""
        name, _, digest = reference.partition("@")
        return any(
            image["reference"] == reference
            or (
                image.get("found_by_digest") and image["digest"] == digest and image["reference"].startswith(f"{name}:")
            )
            for image in self.store.all("fly_image")
        )

    @route("GET", "/api/v1/apps/<name>/releases")
    def list_releases(self, request: Request, name: str) -> Any:
        self.app(request, name)
        newest_first = sorted(self.store.all("fly_release", _app=name), key=lambda release: -release["version"])
        limit = int(request.args.get("limit", len(newest_first)))
        return {"releases": [_shown(release) for release in newest_first[:limit]]}

    @route("PATCH", "/api/v1/releases/<id>")
    def update_release(self, request: Request, id: str) -> Any:
        status = bodies.read(request, UPDATE, "UpdateReleaseRequest").get("status")
        if status not in RELEASE_STATUSES:
            raise bodies.refused(f"invalid status {status!r}")
        with self.store.transaction():
            release = self.store.get("fly_release", id)
            if release is None:
                raise fly_error(404, "Release not found")
            self.app(request, release["_app"])
            changed = {"status": status, "in_progress": status == "running", "stable": status == "complete"}
            return _shown(self.store.put("fly_release", id, {**release, **changed}))

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


def _shown(release: Document) -> Document:
    return {name: release[name] for name in SHOWN}
