"""The smallest dynamic resource."""

from typing import Any

from pulumi import ResourceOptions
from pulumi.dynamic import CreateResult, Resource, ResourceProvider


class NothingProvider(ResourceProvider):
    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult("nothing", {})


class Nothing(Resource):
    def __init__(self, resource_name: str, opts: ResourceOptions | None = None) -> None:
        super().__init__(NothingProvider(), resource_name, {}, opts)
