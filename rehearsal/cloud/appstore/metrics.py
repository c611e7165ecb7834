"""Usage of a build, as the API's metrics tell it: no resources, but data points."""

from typing import Any

from werkzeug.wrappers import Request

from rehearsal.cloud.appstore import refusals
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
        values = {
            "installCount": len(installs),
            "sessionCount": sum(install.get("sessions", 0) for install in installs),
            "crashCount": sum(install.get("crashes", 0) for install in installs),
            "feedbackCount": 0,
            "inviteCount": len(self.records.all("betaTesters")),
        }
        point = {"start": date(build["uploaded_at"]), "end": date(self.world.clock.now()), "values": values}
        data = [{"dataPoints": [point]}] if installs else []
        return {"data": data, "links": {"self": request.url}, "meta": {"paging": {"total": len(data), "limit": 50}}}
