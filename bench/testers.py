"""The number of API calls to add 1, 10 and 100 testers to a group, and to read them."""

from bench.counted import report
from bench.in_process import configured, world_in_process
from bench.options import Options
from bench.smallest import READING_TESTERS, testers
from harness.appstore import make_app
from harness.driver import Driven
from harness.inprocess import control
from providers.appstore.beta_group import BetaGroupProvider
from providers.appstore.beta_testers import BetaTestersProvider


def run(options: Options) -> None:
    for count in options.testers:
        with world_in_process() as world:
            app = make_app(world, configured)
            group = Driven(configured(BetaGroupProvider))
            group.up(app_id=app, name="Internal Testers")
            people = [f"tester{number}@sollabs.example" for number in range(count)]
            for email in people:
                control(world, "POST", "/appstore/users", {"email": email, "firstName": "T", "lastName": "Ester"})
            members = Driven(configured(BetaTestersProvider))
            seen = len(world.journal.entries("appstore"))
            members.up(
                group_id=group.id,
                app_id=app,
                testers=[{"email": email, "first_name": "T", "last_name": "Ester"} for email in people],
            )
            report(f"adding {count}", world.journal.entries("appstore")[seen:], testers(count))
            seen = len(world.journal.entries("appstore"))
            members.refresh()
            report(f"reading {count}", world.journal.entries("appstore")[seen:], READING_TESTERS)
