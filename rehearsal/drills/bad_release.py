"""A bad release is rolled back by the `up` that deploys it.

Release 1.1.0 crashes at its start. `up` detects this, rolls back to 1.0.0, waits until that is healthy, and only then fails. The
state has what runs, and users keep the previous release and all of their data.
"""

from rehearsal.drills.drill import IMAGE, Drill

BAD = "registry.fly.io/solserver:1.1.0"


def run(drill: Drill) -> None:
    drill.launch()
    drill.write("written under 1.0.0")
    drill.doubles.do("/fly/images", reference=BAD, broken="crash")

    drill.say("Release 1.1.0 is built, pushed and deployed. It crashes at its start, which nobody knows yet.")
    drill.edit(image=BAD, expectBody='"1.1.0"')
    output = drill.failing_up()
    drill.promise("the error says why 1.1.0 was not healthy, in the server's own words", "uncaught exception" in output)
    drill.promise("the error says what runs now", "Rolled back to the previous version, which is healthy" in output)
    drill.promise("users get 1.0.0", drill.health()["version"] == "1.0.0")
    drill.promise("their data is there", drill.notes() == ["written under 1.0.0"])

    drill.say("The stack file is set back to 1.0.0, which is what runs. So `up` only verifies it.")
    before = drill.machine["instance_id"]
    drill.edit(image=IMAGE, expectBody='"1.0.0"')
    drill.up()
    drill.promise("the machine was not updated", drill.machine["instance_id"] == before)

    drill.say("Release 1.1.1 has the fix.")
    good = "registry.fly.io/solserver:1.1.1"
    drill.doubles.do("/fly/images", reference=good)
    drill.edit(image=good, expectBody='"1.1.1"')
    drill.up()
    drill.promise("users get 1.1.1", drill.health()["version"] == "1.1.1")
    drill.promise("their data is there", drill.notes() == ["written under 1.0.0"])
