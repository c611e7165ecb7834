"""A container registry: the manifest lookup of the OCI distribution protocol, with its bearer token handshake.

It has the images that were pushed through the control address (`fly_image` documents). Images of `registry.fly.io` are private:
the token service needs a Fly token as password. All others are public.
"""

import base64
import hashlib
from typing import Any, ClassVar

from werkzeug.wrappers import Request, Response

from rehearsal.cloud.fly.api import DEFAULT_TOKENS, PREFIXES
from rehearsal.cloud.fly.programs import DOCKER_HUB, PUBLIC_TAGS
from rehearsal.cloud.service import Answer, Service, route
from rehearsal.cloud.store import Document

PRIVATE = "registry.fly.io/"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Registry(Service):
    """`/v2/{repository}/manifests/{tag or digest}` and `/token`."""

    name: ClassVar[str] = "registry"

    @route("GET", "/token")
    def issue_token(self, request: Request) -> Any:
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        if not encoded:
            return {"token": "anonymous"}
        if scheme != "Basic" or not _is_fly_token(base64.b64decode(encoded).decode().partition(":")[2]):
            raise Answer(_errors("UNAUTHORIZED", "authentication required"), 401)
        return {"token": "fly"}

    @route("HEAD", "/v2/<path:repository>/manifests/<target>")
    @route("GET", "/v2/<path:repository>/manifests/<target>")
    def read_manifest(self, request: Request, repository: str, target: str) -> Any:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in ("anonymous", "fly"):
            scope = f"repository:{repository}:pull"
            realm = f"{self.context.addresses['registry']}/token"
            challenge = f'Bearer realm="{realm}",service="{self.name}",scope="{scope}"'
            raise Answer(_errors("UNAUTHORIZED", "authentication required"), 401, {"WWW-Authenticate": challenge})
        image = self._find(repository, target)
        if image is None:
            raise Answer(_errors("MANIFEST_UNKNOWN", "manifest unknown"), 404)
        if image["reference"].startswith(PRIVATE) and token != "fly":
            raise Answer(_errors("DENIED", "requested access to the resource is denied"), 403)
        return Response(b"", 200, {"Docker-Content-Digest": image["digest"]}, content_type=MANIFEST)

    def _find(self, repository: str, target: str) -> Document | None:
        if f"{repository}:{target}" in PUBLIC_TAGS:
            reference = f"{DOCKER_HUB}/{repository}:{target}"
            return {"reference": reference, "digest": digest_of(reference)}
        for image in self.store.all("fly_image"):
            name, _, tag = image["reference"].rpartition(":")
            in_registry = name.partition("/")[2] if "." in name.partition("/")[0] else name
            if in_registry == repository and target in (tag, image["digest"]):
                return image
        return None


def digest_of(reference: str) -> str:
    """The digest of an image without content, from its name."""
    return f"sha256:{hashlib.sha256(reference.encode()).hexdigest()}"


def _is_fly_token(token: str) -> bool:
    return token in DEFAULT_TOKENS or token.startswith(PREFIXES)


def _errors(code: str, message: str) -> dict[str, Any]:
    return {"errors": [{"code": code, "message": message}]}
