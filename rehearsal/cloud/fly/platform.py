"""api.fly.io, as far as a launch uses it: the log lines of an app (fly.md, section 15.1)."""

from typing import Any, ClassVar

from werkzeug.wrappers import Request

from rehearsal.cloud.fly.api import FlyApi
from rehearsal.cloud.service import route


class Platform(FlyApi):
    """`/api/v1/apps/{name}/logs`. Release records and GraphQL are not played: they answer 501."""

    name: ClassVar[str] = "fly_platform"

    @route("GET", "/api/v1/apps/<name>/logs")
    def read_logs(self, request: Request, name: str) -> Any:
        self.app(request, name)
        wanted = request.args.get("instance")
        lines = (self.store.get("fly_logs", name) or {"lines": []})["lines"]
        return {"data": [line for line in lines if wanted in (None, line["attributes"]["instance"])]}
