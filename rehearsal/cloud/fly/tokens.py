"""What a token gives access to, as its holder can query it."""

from typing import Any

from werkzeug.wrappers import Request

from rehearsal.cloud.fly.api import ORGANIZATIONS, FlyApi
from rehearsal.cloud.service import route


class Tokens(FlyApi):
    """`/v1/tokens/current`. A token for single apps has their names as `apps` in its `fly_token` document."""

    @route("GET", "/v1/tokens/current")
    def show_token(self, request: Request) -> Any:
        token = self.token(request)
        title, _ = ORGANIZATIONS.get(token["org"], (token["org"], 0))
        described = {"token_id": f"tok_{token['org']}", "org_slug": token["org"], "organization": title}
        return {"tokens": [{**described, **({"apps": token["apps"]} if token.get("apps") else {})}]}
