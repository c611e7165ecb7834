"""An image: a tag, resolved to its digest once, at `pulumi up`, by the registry.

The digest is what runs and what the state has. A tag that moves later is not drift; a new reference is resolved again. A missing
image is an error here, before anything that depends on it changes.

The Fly token is sent only to registry.fly.io, or to the registry of the endpoint `registry`.
"""

import base64
import re
from collections.abc import Iterable

from pulumi import Output

from providers import configuration
from providers.errors import Problem, ProblemText
from providers.fly.api import client, registry
from providers.record import Input, Record, field
from providers.resource import Provider, Resource

FLY_REGISTRY = "registry.fly.io"
DOCKER_HUB = "registry-1.docker.io"
REFERENCE = (
    r"(?P<repository>(?:[a-z0-9]+(?:[.-][a-z0-9]+)*:\d+/)?[a-z0-9]+(?:(?:[./]|__?|-+)[a-z0-9]+)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)

NOT_VALID = ProblemText(
    "reference",
    "'{reference}' is not a valid image reference",
    remedy="write registry/repository:tag, or registry/repository@sha256:…",
)


class ImageArgs(Record):
    reference: Input[str]
    """`registry/repository:tag`, or with `@sha256:…`. Changing it resolves it again."""
    source: Input[str] = field(default="")
    """A hash of its sources, if the same program builds it. Changing it resolves the reference again, because the tag has moved."""


class ImageState(ImageArgs):
    digest: str = ""
    """`sha256:…`"""
    pinned: str = ""
    """`registry/repository@sha256:…`: the value for a machine."""


class ImageProvider(Provider[ImageArgs, ImageState]):
    Args = ImageArgs
    State = ImageState

    def validate(self, args: ImageArgs, old: ImageArgs | None) -> Iterable[Problem]:
        if not is_reference(args.reference):
            yield NOT_VALID(reference=args.reference)

    def ensure(self, args: ImageArgs) -> tuple[str, ImageState]:
        state = self._resolve(args)
        return state.pinned, state

    def observe(self, id: str, state: ImageState) -> ImageState | None:
        return state

    def sync(self, id: str, state: ImageState, args: ImageArgs) -> ImageState:
        return self._resolve(args)

    def remove(self, id: str, state: ImageState) -> None:
        """Nothing: an image is looked up, not created."""

    def _resolve(self, args: ImageArgs) -> ImageState:
        reference = parse(args.reference)
        override = configuration.endpoint(self.config, "registry", "")
        base = override or f"https://{reference.host}"
        is_fly = bool(override) or reference.host == FLY_REGISTRY
        token = client.token_of(self.config) if is_fly else ""
        digest = registry.digest_of(base, reference, basic=_basic(token) if token else "")
        return ImageState(
            reference=args.reference, source=args.source, digest=digest, pinned=f"{reference.name}@{digest}"
        )


def is_reference(text: str) -> bool:
    """Whether it is a valid image reference."""
    return re.fullmatch(REFERENCE, text) is not None


def parse(text: str) -> "registry.Reference":
    """The parts of a valid image reference, see `is_reference`."""
    match = re.fullmatch(REFERENCE, text)
    assert match, text
    name = match["repository"]
    first, _, rest = name.partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        host, repository = first, rest
    else:
        host, repository = DOCKER_HUB, name if rest else f"library/{name}"
    host = DOCKER_HUB if host in ("docker.io", "index.docker.io") else host
    return registry.Reference(name, host, repository, match["digest"] or match["tag"] or "latest")


def _basic(token: str) -> str:
    return "Basic " + base64.b64encode(f"x:{token}".encode()).decode()


class Image(Resource[ImageArgs], module="fly", name="Image"):
    """An image in a registry; its id is `registry/repository@sha256:…`. Changing an argument resolves it again, in place."""

    provider = ImageProvider

    digest: Output[str]
    pinned: Output[str]
