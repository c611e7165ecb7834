"""Usage metrics of a build: data points, not resources."""

from typing import Any

from werkzeug.wrappers import Request

from rehearsal.cloud.appstore import feedback, refusals
from rehearsal.cloud.appstore.kinds import Records, date
from rehearsal.cloud.service import Service, route


class Metrics(Service):
    records: Records

    @route("GET", "/v1/builds/<id>/metrics/betaBuildUsages")
    def read_build_usages(self, request: Request, id: str) -> Any:
        build = self.records.get("builds", id)
        if build is None:
            raise refusals.no_such_resource("builds", id)
        for name in request.args:
            if name != "limit":
                raise refusals.parameter_illegal(name)
        installs = [
            install
            for tester in self.records.all("betaTesters")
            for install in tester.get("installs") or []
            if install["build"] == id
        ]
        counted_until = self.context.clock.now() - self.context.delays.usage_counted
        counted = [install for install in installs if install.get("used_at", 0) <= counted_until]
        values = {
            "installCount": len(installs),
            "sessionCount": sum(install.get("sessions", 0) for install in counted),
            "crashCount": sum(install.get("crashes", 0) for install in counted),
            "feedbackCount": sum(len(self.records.all(kind, build=id)) for kind in feedback.KINDS.values()),
            "inviteCount": len(self.records.all("betaTesters")),
        }
        point = {"start": date(build["uploaded_at"]), "end": date(self.context.clock.now()), "values": values}
        data = [{"dataPoints": [point]}] if installs else []
        return {"data": data, "links": {"self": request.url}, "meta": {"paging": {"total": len(data), "limit": 50}}}
