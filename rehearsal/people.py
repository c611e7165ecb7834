"""The people of a rehearsal: the account holder fills in Apple's form; the testers install the build, try it and sign off.

They act through the control address, which stands in for Apple's website and the phones, and edit only the sign-offs in the stack.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from rehearsal.doubles import Control, Refused

POLL_SECONDS = 0.2


@dataclass(frozen=True)
class AppForm:
    """The values for Apple's form for a new app."""

    bundle_id: str
    name: str
    sku: str
    primary_locale: str = "en-US"


class People:
    """The account holder, who creates the app record as soon as its bundle ID exists, and the testers.

    A context manager: the account holder waits for the bundle ID during the block, in a thread.
    """

    def __init__(self, control: str, form: AppForm, testers: Sequence[dict[str, str]]) -> None:
        """`control` is the control address; each tester has `email`, `firstName`, `lastName`."""
        self._control = Control(control)
        self._form = form
        self._testers = testers
        self._stop = threading.Event()
        self._holder = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._holder.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._holder.join()

    def app_record_exists(self) -> bool:
        """Whether the app record exists; waits up to two seconds for it."""
        self._holder.join(timeout=10 * POLL_SECONDS)
        return not self._holder.is_alive()

    def install(self, version: str, build: str) -> bool:
        """Let every tester who does not have the build install and try it. Returns False if all had it already.

        Raises Refused if TestFlight does not offer the build.
        """
        name = f"{version} ({build})"
        on_phones = {
            tester["email"]: [device["appBuildVersion"] for device in tester["appDevices"] or []]
            for tester in self._control.see("/appstore/state")["betaTesters"]
        }
        missing = [tester["email"] for tester in self._testers if name not in on_phones.get(tester["email"], [])]
        for email in missing:
            self._control.do(f"/appstore/testers/{email}/install", version=version, build=build)
            self._control.do(f"/appstore/testers/{email}/sessions", sessions=3, crashes=0)
        return bool(missing)

    def sign_offs(self, features: Sequence[str], build: str, image: str) -> dict[str, dict[str, str]]:
        """The value of `signOffs` when every tester has passed every feature."""
        of = {"build": build, "image": image}
        return {"of": of, **{tester["email"]: dict.fromkeys(features, "passed") for tester in self._testers}}

    def _watch(self) -> None:
        try:
            while not self._stop.wait(POLL_SECONDS) and not self._create_app_record():
                pass
        except Refused:
            pass  # The doubles have stopped, or refused the form. In both cases `up` reports what is missing.

    def _create_app_record(self) -> bool:
        """Create the app record if its bundle ID exists; returns whether the record exists now."""
        state = self._control.see("/appstore/state")
        form = self._form
        if any(app["bundleId"] == form.bundle_id for app in state["apps"]):
            return True
        if not any(bundle_id["identifier"] == form.bundle_id for bundle_id in state["bundleIds"]):
            return False
        self._control.do(
            "/appstore/apps",
            bundleId=form.bundle_id,
            name=form.name,
            sku=form.sku,
            primaryLocale=form.primary_locale,
        )
        return True
