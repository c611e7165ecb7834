"""api.fly.io, as far as a launch and its monitor use it: the log lines of an app, and the metrics of an organisation
(fly.md, section 15.1; observability.md, section 2)."""

from typing import Any, ClassVar

from werkzeug.wrappers import Request, Response

from rehearsal.cloud.fly import metrics
from rehearsal.cloud.fly.api import FlyApi, forbidden
from rehearsal.cloud.service import route


class Platform(FlyApi):
    """`/api/v1/apps/{name}/logs` and `/prometheus/{org}/federate`. Release records and GraphQL are not played: they answer 501."""

    name: ClassVar[str] = "fly_platform"

    @route("GET", "/api/v1/apps/<name>/logs")
    def read_logs(self, request: Request, name: str) -> Any:
        self.app(request, name)
        wanted = request.args.get("instance")
        lines = (self.store.get("fly_logs", name) or {"lines": []})["lines"]
        return {"data": [line for line in lines if wanted in (None, line["attributes"]["instance"])]}

    @route("GET", "/prometheus/<org>/federate")
    def federate(self, request: Request, org: str) -> Any:
        if self.token(request)["org"] != org:
            raise forbidden()
        lines = []
        for match in request.args.getlist("match[]"):
            app, names = metrics.wanted(match)
            known = self.living_app(app or "")
            if app and known and known["organization"]["slug"] == org:
                series = metrics.of_app(app, self.machines, self.store, self.world.clock.now())
                lines += [line for name, line in series if names.fullmatch(name)]
        return Response("".join(f"{line}\n" for line in lines), content_type="text/plain; charset=utf-8")
