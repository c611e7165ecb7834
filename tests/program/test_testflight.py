"""What a stack may choose for its testers, through the whole program and over real HTTP."""

import httpx
import pytest

from harness.program import Stack, appstore, calls, has_pulumi
from rehearsal.people import People

GRACE = {"email": "grace@sollabs.example", "firstName": "Grace", "lastName": "Okoye"}


@pytest.fixture
def engine() -> str:
    """One is enough, the real one where it is installed: the launch is tested on both."""
    return "pulumi" if has_pulumi() else "embedded"


def test_invitation_and_automatic_distribution(stack: Stack, addresses: dict[str, str], people: People) -> None:
    stack.configure(testers=[*stack.config["solos:testers"], GRACE], inviteTesters="true", automaticDistribution="true")

    assert stack.run("up") == 0, stack.text
    assert "invited to the team, not accepted yet: grace@sollabs.example" in stack.text
    (group,) = appstore(addresses)["betaGroups"]
    assert len(group["links"]["betaTesters"]) == 3

    httpx.post(f"{addresses['control']}/appstore/users", json=GRACE).raise_for_status()
    assert stack.run("up") == 0, stack.text
    (group,) = appstore(addresses)["betaGroups"]
    (detail,) = appstore(addresses)["buildBetaDetails"]
    assert len(group["links"]["betaTesters"]) == 4
    assert (group["hasAccessToAllBuilds"], detail["internalBuildState"]) == (True, "READY_FOR_BETA_TESTING")
    assert not any("relationships/betaGroups" in call for call in calls(addresses, "appstore"))
    assert len([call for call in calls(addresses, "appstore") if call.endswith("POST /v1/userInvitations")]) == 1

    stack.configure(automaticDistribution="false", testers=stack.config["solos:testers"][:3])
    assert stack.run("preview") != 0
    assert "set drops_testers for this one change" in stack.text

    stack.configure(dropTesters="true")
    assert stack.run("up") == 0, stack.text
    (group,) = appstore(addresses)["betaGroups"]
    assert len(group["links"]["betaTesters"]) == 3
    assert len(group["links"]["builds"]) == 1
