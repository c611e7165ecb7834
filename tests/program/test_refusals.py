"""What stops an `up`, on either engine: one line says what, why and what to do; once that is done, the next `up` continues."""

from typing import Any

import httpx

from harness.program import Stack, appstore, calls, fly
from rehearsal.endpoints import NOWHERE
from rehearsal.people import People


def post(addresses: dict[str, str], path: str, body: dict[str, Any]) -> None:
    httpx.post(f"{addresses['control']}{path}", json=body).raise_for_status()


def line(stack: Stack, start: str) -> str:
    """The one line of what was printed that has this in it."""
    (found,) = {text.partition("rror: ")[2] for text in stack.text.splitlines() if start in text}
    assert "Traceback" not in stack.text
    return found


def test_app_name_is_taken(stack: Stack, addresses: dict[str, str], people: People) -> None:
    stack.configure(app="solos-taken", uniqueNames="false")
    post(addresses, "/fly/apps", {"name": "solos-taken", "org": "strangers"})

    assert stack.run("up") != 0

    message = line(stack, "app name solos-taken")
    assert "is taken by another organisation" in message
    assert "choose another name, or use a token of the right organisation" in message
    assert fly(addresses)["fly_volume"] == []


def test_missing_app_record(stack: Stack, addresses: dict[str, str]) -> None:
    stack.configure(waitForAppRecord="0")

    assert stack.run("up") != 0
    message = line(stack, "there is no app with bundle ID")
    assert "https://appstoreconnect.apple.com/apps choose + > New App" in message
    assert "Bundle ID: com.sollabs.solos.rehearsal" in message
    assert "then run `pulumi up` again" in message

    form = {"bundleId": "com.sollabs.solos.rehearsal", "name": "SolOS", "sku": "s", "primaryLocale": "en-US"}
    post(addresses, "/appstore/apps", form)
    for tester in stack.config["solos:testers"]:
        post(addresses, "/appstore/users", tester)
    assert stack.run("up") == 0, stack.text
    assert len(appstore(addresses)["bundleIds"]) == len(fly(addresses)["fly_app"]) == 1


def test_fly_rejects_token(stack: Stack, people: People) -> None:
    """The registry or the Machines API is the first to refuse it; the app record is not, because people create it."""
    stack.give("FLY_API_TOKEN", "mistyped")

    assert stack.run("up") != 0

    messages = [text for text in stack.text.splitlines() if "FLY_API_TOKEN" in text]
    assert messages
    assert all("set FLY_API_TOKEN to " in text for text in messages)
    assert "Traceback" not in stack.text
    assert "mistyped" not in stack.text


def test_fly_token_is_missing(stack: Stack, addresses: dict[str, str]) -> None:
    stack.forget("FLY_API_TOKEN")

    assert stack.run("up") != 0

    assert "FLY_API_TOKEN" in line(stack, "the Fly token")
    assert calls(addresses, "fly") == []


def test_apple_rejects_key(stack: Stack, addresses: dict[str, str]) -> None:
    stack.give("ASC_KEY_ID", "REVOKED001")

    assert stack.run("up") != 0

    message = line(stack, "App Store Connect refused to look which")
    assert "ASC_KEY_ID" in message
    assert appstore(addresses)["bundleIds"] == []


def test_agreement_has_expired(stack: Stack, addresses: dict[str, str]) -> None:
    post(addresses, "/appstore/agreements", {"in_effect": False})

    assert stack.run("up") != 0

    messages = {text for text in stack.text.splitlines() if "agreement" in text}  # One of each call that met it first.
    assert messages
    assert all(
        "the Account Holder signs it at https://appstoreconnect.apple.com/agreements" in text for text in messages
    )
    assert "Traceback" not in stack.text


def test_vendors_are_unreachable(stack: Stack, addresses: dict[str, str]) -> None:
    stack.configure(endpoints=NOWHERE)

    assert stack.run("up", "--skip-preview") != 0

    message = line(stack, "cannot look up app ")
    assert "no connection to Fly at http://127.0.0.1:1" in message
    assert "check that the network is up and the address is right, then run the same command again" in message
    assert calls(addresses) == []
