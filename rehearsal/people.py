"""What people do in a rehearsal, over the control address: accept invitations, fill in Apple's form, install, try, sign off.

They work on websites and on phones, as in a real launch; of the stack they change only what a person would: sign-offs.
"""

import json
import threading
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class AppForm:
    """What Apple's form of a new app is filled in with."""

    bundle_id: str
    name: str
    sku: str
    primary_locale: str = "en-US"


class People:
    """The account holder, who makes the app entry as soon as there is a bundle ID for it, and the testers.

    A context manager: the account holder watches as long as the block runs.
    """

    def __init__(self, control: str, form: AppForm, testers: Sequence[dict[str, str]]) -> None:
        """`control` is the control address; each tester has `email`, `firstName`, `lastName`."""
        self._control = control
        self._form = form
        self._testers = testers
        self._stop = threading.Event()
        self._holder = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        for tester in self._testers:
            self._post("/appstore/users", tester)
        self._holder.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._holder.join()

    def have_filled_in_the_form(self) -> bool:
        """Whether the account holder has made the app entry by now, for what has been waiting for it."""
        self._holder.join(timeout=10 * LOOK_SECONDS)
        return not self._holder.is_alive()

    def install(self, version: str, build: str) -> None:
        """Every tester who has not yet installs the build from TestFlight, and tries it."""
        named = f"{version} ({build})"
        on_phones = {
            tester["email"]: [device["appBuildVersion"] for device in tester["appDevices"] or []]
            for tester in self._call("/appstore/state", None)["betaTesters"]
        }
        for tester in self._testers:
            if named not in on_phones[tester["email"]]:
                self._post(f"/appstore/testers/{tester['email']}/install", {"version": version, "build": build})
                self._post(f"/appstore/testers/{tester['email']}/sessions", {"sessions": 3, "crashes": 0})

    def sign_offs(self, features: Sequence[str]) -> dict[str, dict[str, str]]:
        """What they write into the stack file once they have tried every feature and found nothing wrong."""
        return {tester["email"]: dict.fromkeys(features, "passed") for tester in self._testers}

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            state = self._call("/appstore/state", None)
            if any(app["bundleId"] == self._form.bundle_id for app in state["apps"]):
                return
            if any(each["identifier"] == self._form.bundle_id for each in state["bundleIds"]):
                self._post(
                    "/appstore/apps",
                    {
                        "bundleId": self._form.bundle_id,
                        "name": self._form.name,
                        "sku": self._form.sku,
                        "primaryLocale": self._form.primary_locale,
                    },
                )
                return

    def _post(self, path: str, body: Any) -> Any:
        return self._call(path, json.dumps(body).encode())

    def _call(self, path: str, body: bytes | None) -> Any:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._control}{path}", data=body, headers=headers)  # noqa: S310 (loopback)
        with urllib.request.urlopen(request) as answer:  # noqa: S310 (loopback)
            return json.load(answer)
