"""The rows of the launch itself: people have tried it, and somebody has declared it."""

from dataclasses import dataclass

from checklist.known import Known, Shape
from checklist.row import Failed, Missing, Phase, row
from checklist.testflight import BetaTesters


@dataclass(frozen=True, kw_only=True)
class LaunchRecord(Shape, kind="checks:LaunchRecord"):
    label: str
    declared_by: str
    declared_at: str = ""
    withdrawn: str = ""
    withdrawn_at: str = ""


@row(
    "smoke-test",
    Phase.LAUNCH,
    "Smoke test signed off",
    blocks=True,
    absent="no sign-off is needed",
    remedy="record each result in solos:signOffs",
)
def smoke_test(known: Known) -> str:
    """It blocks: no other row proves that the product works for a person."""
    if known.sign_offs.open:
        raise Missing("; ".join(known.sign_offs.open))
    testers = sorted(tester["email"] for group in known.all(BetaTesters) for tester in group.testers)
    return f"{known.sign_offs.signed_off} of {known.sign_offs.needed} sign-offs, by {', '.join(testers)}"


@row(
    "launched",
    Phase.LAUNCH,
    "v0 declared launched",
    blocks=False,
    absent="nobody has declared it launched",
    remedy="set solos:declaredBy to your name and run `pulumi up`",
)
def launched(known: Known) -> str:
    """It does not block and cannot be waived: it is the declaration that the other rows allow."""
    record = next((each for each in known.all(LaunchRecord) if known.label in ("", each.id)), None)
    if record is None:
        raise Missing
    if record.withdrawn:
        raise Failed(
            f"withdrawn {record.withdrawn_at}: {record.withdrawn}", remedy="declare the next release under a new label"
        )
    return f"{record.label} is launched, declared by {record.declared_by} at {record.declared_at}"


ROWS = (smoke_test, launched)
