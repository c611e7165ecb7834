"""The rows of the launch itself: people have tried it, and somebody has declared it."""

from collections.abc import Mapping

import msgspec

from checklist.backend import UP, running_image
from checklist.ios_build import BuildUpload, uploaded_build
from checklist.known import Known, Shape
from checklist.row import Failed, Missing, Phase, Waiting, row
from checklist.testflight import BetaTesters

RECORD = "prove or waive the other open rows, then run `pulumi up`"


class LaunchRecord(Shape, frozen=True, kw_only=True):
    kind = "checks:LaunchRecord"

    label: str
    declared_by: str
    declared_at: str = ""
    facts: Mapping[str, str] = msgspec.field(default_factory=dict)
    """What was launched: `version`, `build`, `image` and more."""
    withdrawn: str = ""
    withdrawn_at: str = ""

    @property
    def build_name(self) -> str:
        """The build that was launched, as TestFlight shows it."""
        return f"{self.facts.get('version')} ({self.facts.get('build')})"


@row(
    "smoke-test",
    Phase.LAUNCH,
    "Smoke test signed off",
    absent="no sign-off is needed",
    remedy="record each result with `make sign-off`",
)
def smoke_test(known: Known) -> str:
    """It blocks: no other row proves that the product works for a person."""
    tried = known.sign_offs
    if tried.failed:
        raise Failed(
            "; ".join([*tried.failed, *tried.open]), remedy="fix what failed, and let the testers try it again"
        )
    uploaded = uploaded_build(known)
    if tried.open:
        raise Waiting("; ".join(tried.open), on="the testers")
    build, image = uploaded.name, running_image(known).reference
    if (tried.build, tried.image) != (build, image):
        raise Missing(f"the sign-offs are of {tried.build} with {tried.image}, not of {build} with {image}", remedy=UP)
    testers = sorted(tester["email"] for group in known.all(BetaTesters) for tester in group.testers)
    return f"{tried.signed_off} of {tried.needed} sign-offs of {build} with {image}, by {', '.join(testers)}"


@row(
    "launched",
    Phase.LAUNCH,
    "Declared launched",
    blocks=False,
    absent="nobody has declared it launched",
    remedy="set `declaredBy` to your name and run `pulumi up`",
)
def launched(known: Known) -> str:
    """It does not block and cannot be waived: it is the declaration that the other rows allow."""
    record = next((found for found in known.all(LaunchRecord) if known.label in ("", found.id)), None)
    if record is None and known.declared_by:
        raise Missing(f"{known.declared_by} declares it, and it is not recorded yet", remedy=RECORD)
    if record is None:
        raise Waiting(on="the release lead")
    if record.withdrawn:
        raise Failed(
            f"withdrawn {record.withdrawn_at}: {record.withdrawn}", remedy="declare the next release under a new label"
        )
    build = known.first(BuildUpload)
    if build and build.name != record.build_name:
        raise Missing(
            f"{record.label} was declared with {record.build_name}; {build.name} is not declared",
            remedy="declare it under a new label, and keep this one in `earlierReleases`",
        )
    return (
        f"{record.label} is launched, declared by {record.declared_by} at {record.declared_at}: {record.build_name} with "
        f"{record.facts.get('image')}"
    )


ROWS = (smoke_test, launched)
