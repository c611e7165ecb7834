"""The launch report: from either form of a state, without a secret, for a phone and a desk."""

import json
from pathlib import Path
from typing import Any

import pytest

from report.__main__ import main
from report.html import render
from report.launch import gather
from report.markdown import render as render_markdown
from report.state import SECRET, SIGNATURE, read
from tests.needs import needs
from tests.report.browser import shown

PASSWORD = "correct horse battery staple"
STACK = "urn:pulumi:prod::solos::pulumi:pulumi:Stack::solos-prod"


def resource(
    kind: str, name: str, id: str, second: int, component: str = "Backend", /, **outputs: Any
) -> dict[str, Any]:
    return {
        "urn": f"urn:pulumi:prod::solos::solos:{component}$pulumi-python:dynamic/{kind}::{name}",
        "type": f"pulumi-python:dynamic/{kind}",
        "custom": True,
        "id": id,
        "created": f"2026-11-27T04:00:{second:02d}.5Z",
        "modified": f"2026-11-27T04:00:{second:02d}.5Z",
        "outputs": {**outputs, "__provider": f"a pickle with {PASSWORD}"},
    }


DEPLOYMENT: dict[str, Any] = {
    "manifest": {"time": "2026-11-27T04:01:00Z"},
    "resources": [
        {
            "urn": STACK,
            "type": "pulumi:pulumi:Stack",
            "outputs": {
                "url": "https://solos-prod.fly.dev",
                "launch": {
                    "state": "launched",
                    "label": "v0",
                    "declaredBy": "Mara",
                    "declaredAt": "2026-11-27T04:00:59Z",
                },
                "waivers": {"signing": {"reason": "signed in Xcode", "by": "Mara"}},
                "password": {SIGNATURE: SECRET, "plaintext": json.dumps(PASSWORD)},
            },
        },
        resource("fly:App", "app", "solos-prod", 1, name="solos-prod", org="sol-labs", hostname="solos-prod.fly.dev"),
        resource(
            "fly:Image", "image", "i", 2, reference="registry.fly.io/solserver:1.0.0", digest="sha256:" + "5" * 64
        ),
        resource(
            "fly:Secrets",
            "secrets",
            "s",
            3,
            version=1,
            digests={"SESSION_SECRET": "d1"},
            values={SIGNATURE: SECRET, "ciphertext": PASSWORD},
        ),
        resource(
            "checks:Rollout",
            "rollout",
            "r",
            9,
            hostname="solos-prod.fly.dev",
            path="/health",
            latencies_ms=[4.0, 31.0, 5.0],
            instance_id="01M8DJ258TFHAPW54ZA0HEE6V2",
            verified_at="2026-11-27T04:00:09+00:00",
        ),
        resource(
            "checks:AlertDrill",
            "alert-drill",
            "d",
            40,
            "Monitoring",
            watched="solos-prod",
            receiver="page",
            fired_at="2026-11-27T04:00:10+00:00",
            delivered_seconds=0.8,
            resolved_at="2026-11-27T04:00:40+00:00",
        ),
        resource(
            "appstore:BetaTesters",
            "testers",
            "t",
            12,
            "TestFlight",
            testers=[
                {"email": "ada.with.a.very.long.address@sollabs.example", "first_name": "Ada", "last_name": "Ferreira"}
            ],
        ),
    ],
}


@pytest.fixture
def page() -> str:
    return render(gather(read({"deployment": DEPLOYMENT})))


def test_a_backends_file_gives_what_an_export_gives(page: str) -> None:
    kept = {"version": 3, "checkpoint": {"stack": "organization/solos/prod", "latest": DEPLOYMENT}}

    assert render(gather(read(kept))) == page


def test_no_secret_is_in_it(page: str) -> None:
    document = render_markdown(gather(read({"deployment": DEPLOYMENT})))

    assert PASSWORD not in page
    assert PASSWORD not in document
    assert "SESSION_SECRET" in page


def test_both_forms_tell_the_same(page: str) -> None:
    document = render_markdown(gather(read({"deployment": DEPLOYMENT})))

    for text in (
        "Launched, declared by Mara at 2026-11-27 04:00:59 UTC",
        "signed in Xcode (Mara)",
        "https://fly.io/apps/solos-prod/secrets",
        "the page to arrive and resolve",
        "sha256:555",
        "drill for solos-prod",
        "ada.with.a.very.long.address@sollabs.example",
    ):
        assert text in page
        assert text in document


def test_a_wait_is_drawn_to_scale(page: str) -> None:
    assert 'class="bar wait ' in page
    assert "39.0" in page  # From the first resource, at 1.5 s, to the last, at 40.5 s.


def test_a_stack_is_found_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / ".pulumi" / "stacks" / "solos"
    folder.mkdir(parents=True)
    (folder / "prod.json").write_text(json.dumps({"version": 3, "checkpoint": {"latest": DEPLOYMENT}}))
    monkeypatch.setenv("PULUMI_BACKEND_URL", tmp_path.as_uri())
    monkeypatch.chdir(tmp_path)

    assert main(["--stack", "prod"]) == 1  # Rows are open.
    assert (tmp_path / "report-of-prod" / "launch.html").exists()

    assert main(["--stack", "other"]) == 2
    assert f"there is no stack other in {tmp_path}" in capsys.readouterr().err


@needs("chromium")
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen_or_loaded_from_elsewhere(page: str, width: int, tmp_path: Path) -> None:
    seen = shown(page, width, tmp_path)

    assert seen == {"width": width, "beyond": [], "loaded": [], "console": []}
