"""An image: a tag resolved to its digest, once, at `up`, by the registry's own protocol.

The digest is what runs and what the state shows; a tag that moves later is no drift, and a new reference resolves anew. An
image that does not exist is refused here, before anything that depends on it is touched.

Protocol: the OCI distribution specification, with the token dance of its `WWW-Authenticate: Bearer` challenge. The Fly token is
shown to registry.fly.io (or the registry that the endpoint `registry` names) and to no other.
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pulumi import Output

from providers import configuration
from providers.errors import ApiError, ProviderError
from providers.http import Http
from providers.record import Input, field, record
from providers.resource import Provider, Resource

if TYPE_CHECKING:
    import httpx

FLY_REGISTRY = "registry.fly.io"
DOCKER_HUB = "registry-1.docker.io"
MANIFESTS = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json"
)
PART = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
REFERENCE = re.compile(
    rf"(?P<repository>(?:[a-z0-9]+(?:[.-][a-z0-9]+)*(?::\d+)?/)?{PART}(?:/{PART})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
PARAMETER = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Reference:
    """An image reference taken apart: `name` is what was written before tag and digest, `target` what to ask for."""

    name: str
    host: str
    repository: str
    target: str


@record
class ImageArgs:
    reference: Input[str]
    """`registry/repository:tag`, or with `@sha256:…`. Changing it resolves anew."""
    source: Input[str] = field(default="")
    """What it is built of, where the same program builds it. Changing it resolves anew, as the tag has moved on purpose."""


@record
class ImageState(ImageArgs):
    digest: str = ""
    """`sha256:…`"""
    pinned: str = ""
    """`registry/repository@sha256:…`: what a machine is given."""


class ImageProvider(Provider[ImageArgs, ImageState]):
    Args = ImageArgs
    State = ImageState

    def validate(self, args: ImageArgs, old: ImageArgs | None) -> Iterable[str]:
        try:
            parse(args.reference)
        except ProviderError as error:
            yield str(error)

    def ensure(self, args: ImageArgs) -> tuple[str, ImageState]:
        state = self._resolve(args)
        return state.pinned, state

    def observe(self, id: str, state: ImageState) -> ImageState | None:
        return state

    def sync(self, id: str, state: ImageState, args: ImageArgs) -> ImageState:
        return self._resolve(args)

    def remove(self, id: str, state: ImageState) -> None:
        """Nothing: an image is found, not made."""

    def _resolve(self, args: ImageArgs) -> ImageState:
        reference = parse(args.reference)
        override = configuration.endpoint(self.config, "registry", "")
        base = override or f"https://{reference.host}"
        is_flys = bool(override) or reference.host == FLY_REGISTRY
        token = (
            configuration.credential(self.config, "FLY_API_TOKEN", "flyApiToken", "the Fly token") if is_flys else ""
        )
        digest = _digest(base, reference, basic=_basic(token) if token else "")
        return ImageState(
            reference=args.reference, source=args.source, digest=digest, pinned=f"{reference.name}@{digest}"
        )


def parse(text: str) -> Reference:
    """Take an image reference apart. Raises ProviderError when it is none."""
    match = REFERENCE.fullmatch(text)
    if not match:
        raise ProviderError(
            f"{text!r} is no image reference: write registry/repository:tag, or registry/repository@sha256:…"
        )
    name = match["repository"]
    first, _, rest = name.partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        host, repository = first, rest
    else:
        host, repository = DOCKER_HUB, name if rest else f"library/{name}"
    host = DOCKER_HUB if host in ("docker.io", "index.docker.io") else host
    return Reference(name, host, repository, match["digest"] or match["tag"] or "latest")


def _digest(base: str, reference: Reference, *, basic: str) -> str:
    """Ask the registry at `base` for the manifest's digest. Raises ApiError when there is none."""
    registry = Http(base, service=f"the registry {reference.host}", authorize=lambda _again: "", explain=_explain)
    path = f"/v2/{reference.repository}/manifests/{reference.target}"
    doing = f"look up the image {reference.name}:{reference.target}".replace(":sha256:", "@sha256:")
    headers = {"Accept": MANIFESTS}
    answer = registry.request("HEAD", path, doing=doing, headers=headers, safe=True, accept=(401,))
    if answer.status_code == 401:
        headers["Authorization"] = _answer_challenge(answer.headers.get("WWW-Authenticate", ""), base, reference, basic)
        answer = registry.request("HEAD", path, doing=doing, headers=headers, safe=True)
    digest = answer.headers.get("Docker-Content-Digest")
    if not digest:
        manifest = registry.request("GET", path, doing=doing, headers=headers)
        digest = f"sha256:{hashlib.sha256(manifest.content).hexdigest()}"
    return str(digest)


def _answer_challenge(challenge: str, base: str, reference: Reference, basic: str) -> str:
    """The Authorization header that the registry asked for; credentials go to the registry's own domain only."""
    scheme, _, parameters = challenge.partition(" ")
    if scheme.lower() == "basic":
        return basic
    given = dict(PARAMETER.findall(parameters))
    if scheme.lower() != "bearer" or "realm" not in given:
        raise ProviderError(
            f"the registry {reference.host} asks for an authentication that is not supported: {scheme!r}"
        )
    realm = urlsplit(given["realm"])
    own = _domain(realm.hostname) == _domain(urlsplit(base).hostname)
    issuer = Http(
        f"{realm.scheme}://{realm.netloc}",
        service=f"the token service of {reference.host}",
        authorize=lambda _again: basic if own else "",
        explain=_explain,
    )
    scope = given.get("scope") or f"repository:{reference.repository}:pull"
    answer = issuer.request(
        "GET",
        realm.path,
        doing=f"get a pull token for {reference.name}",
        params={"service": given.get("service", reference.host), "scope": scope},
    ).json()
    return f"Bearer {answer.get('token') or answer.get('access_token')}"


def _domain(host: str | None) -> str:
    return ".".join((host or "").split(".")[-2:])


def _basic(token: str) -> str:
    return "Basic " + base64.b64encode(f"x:{token}".encode()).decode()


def _explain(response: "httpx.Response", doing: str) -> ProviderError:
    remedy = {
        401: "the registry did not accept the credentials: is FLY_API_TOKEN a token of the right organisation?",
        403: "the token may not pull this image: use a token of the organisation that owns it",
        404: "there is no such image: push it first, or correct the reference in the stack's config",
    }.get(response.status_code, "run the same command again later")
    return ApiError(f"cannot {doing}: HTTP {response.status_code}; {remedy}", status=response.status_code)


class Image(Resource[ImageArgs], module="fly", name="Image"):
    """An image in a registry; its id is `registry/repository@sha256:…`. Changing an argument resolves it anew, in place."""

    provider = ImageProvider

    digest: Output[str]
    pinned: Output[str]
