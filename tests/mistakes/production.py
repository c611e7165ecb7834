"""A live production rehearsal: protected, watched, launched and declared, with a row that a user has written."""

import json
from pathlib import Path
from typing import Any

import httpx

from components.launch.smoke_test import read_plan
from harness.engine import StackInProcess
from harness.inprocess import Doubles, new_world
from harness.program import IMAGE, ROOT, encrypted

APP = "solos-prod"
NOT_WATCHED = {"reason": "the monitor's programs run in other tests", "by": "this test"}
MONITORING = {"page": "webhook", "ticket": "webhook", "logs": "false", "drill": "false"}
MONITORING_SECRETS = {
    "metricsToken": "fm2_readonly",
    "page": "https://page.example/1",
    "ticket": "https://ticket.example/1",
    "heartbeat": "https://beat.example/1",
}
SETTINGS: dict[str, Any] = {
    "app": APP,
    "uniqueNames": None,
    "protect": "true",
    "waitForAppRecord": None,
    "secrets": {"SESSION_SECRET": encrypted("given"), "LITESTREAM_HEARTBEAT_URL": encrypted("https://beat.example")},
    "monitoring": MONITORING,
    "monitoringSecrets": {name: encrypted(value) for name, value in MONITORING_SECRETS.items()},
    "waivers": dict.fromkeys(("monitoring", "logging", "alerting"), NOT_WATCHED),
}
"""What the stack has besides `harness.program.CONFIG`."""


def launch(folder: Path) -> StackInProcess:
    """Bring a stack from nothing to a declared launch."""
    stack = StackInProcess.new(folder, new_world())
    stack.configure(**SETTINGS)
    stack.control("POST", "/fly/images", {"reference": IMAGE})
    for tester in stack.config["solos:testers"]:
        stack.control("POST", "/appstore/users", tester)
    assert stack.run("up", "--skip-preview") != 0, "Apple has no app record yet"
    form = {key: stack.config[f"solos:{key}"] for key in ("bundleId",)}
    stack.control(
        "POST", "/appstore/apps", {**form, "name": stack.config["solos:appName"], "sku": "s", "primaryLocale": "en-US"}
    )
    stack.world.clock.sleep(60)
    up(stack)
    for tester in stack.config["solos:testers"]:
        path = f"/appstore/testers/{tester['email']}"
        stack.control("POST", f"{path}/install", {"version": "1.0.0", "build": "0"})
        stack.control("POST", f"{path}/sessions", {"sessions": 3, "crashes": 0})
    up(stack)
    stack.world.clock.sleep(24 * 3600)  # until Apple shows the sessions
    stack.configure(declaredBy="Mara Lindqvist", signOffs=passed(stack))
    up(stack)
    edge(stack, "POST", "/notes", {"text": "written by a user"})
    return stack


def up(stack: StackInProcess) -> None:
    assert stack.run("up", "--skip-preview") == 0, stack.text


def passed(stack: StackInProcess) -> dict[str, dict[str, str]]:
    """The sign-offs of testers who found nothing wrong."""
    features, _ = read_plan(ROOT / "infra-docs" / "smoke-test.toml")
    results = {each["email"]: {one.key: "passed" for one in features} for each in stack.config["solos:testers"]}
    return {"of": {"build": "1.0.0 (0)", "image": IMAGE}, **results}


def edge(stack: StackInProcess, method: str, path: str, body: Any = None) -> httpx.Response:
    """A request of a user, through the public edge."""
    with httpx.Client(transport=Doubles(stack.world), base_url=stack.world.addresses["proxy"]) as client:
        return client.request(method, path, json=body, headers={"Host": f"{APP}.fly.dev"})


def is_served(stack: StackInProcess) -> bool:
    """Whether users get the row that one of them has written."""
    return "written by a user" in edge(stack, "GET", "/notes").text


def held(stack: StackInProcess) -> dict[str, set[Any]]:
    """What users, testers and the team would miss, by what it is."""
    fly, apple = stack.control("GET", "/fly/state"), stack.control("GET", "/appstore/state")
    state = json.loads(stack.state())["checkpoint"]["latest"]["resources"]
    machines = [machine for machine in fly["fly_machine"] if machine["state"] != "destroyed"]
    volumes = [volume for volume in fly["fly_volume"] if volume["_deleted_at"] is None]
    records = [resource["outputs"] for resource in state if resource["type"].endswith("checks:LaunchRecord")]
    return {
        "apps": {app["name"] for app in fly["fly_app"]},
        "addresses": {address["ip"] for address in fly["fly_ip"]},
        "machines": {(machine["id"], machine["name"], machine["region"]) for machine in machines},
        "volumes": {(volume["id"], volume["name"], volume["region"]) for volume in volumes},
        "secrets": {
            (secrets["_app"], *pair)
            for secrets in fly["fly_secrets"]
            for pair in ((k, v["value"]) for k, v in secrets["now"].items())
        },
        "bundle IDs": {bundle_id["identifier"] for bundle_id in apple["bundleIds"]},
        "profiles": set(range(len(apple["profiles"]))),
        "certificates": {certificate["id"] for certificate in apple["certificates"]},
        "groups": {(group["id"], group["name"]) for group in apple["betaGroups"]},
        "testers": {tester for group in apple["betaGroups"] for tester in group["links"]["betaTesters"]},
        "builds": {build["id"] for build in apple["builds"]},
        "build of the group": {build for group in apple["betaGroups"] for build in group["links"]["builds"]},
        "test information": {
            (localization["locale"], localization["feedbackEmail"]) for localization in apple["betaAppLocalizations"]
        },
        "launch": {json.dumps(record, sort_keys=True) for record in records},
    }


class Outages(httpx.BaseTransport):
    """Asks the edge after each call that the stack makes, from now on. `seen` are the answers that were not 200."""

    def __init__(self, stack: StackInProcess) -> None:
        self.seen: list[int] = []
        self._stack = stack
        stack.transport = lambda: self  # type: ignore[method-assign]
        self._doubles = Doubles(stack.world)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._doubles.handle_request(request)
        status = edge(self._stack, "GET", "/health").status_code
        self.seen += [status] if status != 200 else []
        return answer
