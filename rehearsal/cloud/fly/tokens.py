"""What a token is for, as it may ask itself (fly.md, section 12)."""

from typing import Any

from werkzeug.wrappers import Request

from rehearsal.cloud.fly.api import ORGANIZATIONS, FlyApi
from rehearsal.cloud.service import route


class Tokens(FlyApi):
    """`/v1/tokens/current`. A token that is not for the whole organisation has `apps`, their names, in `fly_token`."""

    @route("GET", "/v1/tokens/current")
    def show_token(self, request: Request) -> Any:
        token = self.token(request)
        title, _ = ORGANIZATIONS.get(token["org"], (token["org"], 0))
        described = {"token_id": f"tok_{token['org']}", "org_slug": token["org"], "organization": title}
        return {"tokens": [{**described, **({"apps": token["apps"]} if token.get("apps") else {})}]}
