"""A bad release is rolled back by the `up` that deploys it.

Release 1.1.0 ends as soon as it is started. `up` notices, puts 1.0.0 back, waits until that is healthy, and only then fails:
what the state says is what runs, and users keep the release of before with everything that they wrote.
"""

from rehearsal.drills.drill import IMAGE, Drill

BAD = "registry.fly.io/solserver:1.1.0"


def run(drill: Drill) -> None:
    drill.launch()
    drill.write("written under 1.0.0")
    drill.doubles.do("/fly/images", reference=BAD, broken="crash")

    drill.say("Release 1.1.0 is built and pushed, and crashes at its start. Nobody knows yet; it is deployed.")
    drill.edit(image=BAD, expectBody='"1.1.0"')
    output = drill.failing_up()
    drill.promise("the error says why 1.1.0 was not healthy, in the server's own words", "uncaught exception" in output)
    drill.promise("the error says what runs now", "Rolled back to the previous version, which is healthy" in output)
    drill.promise("users get 1.0.0", drill.health()["version"] == "1.0.0")
    drill.promise("what they wrote is there", drill.notes() == ["written under 1.0.0"])

    drill.say("The stack file goes back to 1.0.0. That is what runs, so nothing is left to change.")
    before = drill.machine["instance_id"]
    drill.edit(image=IMAGE, expectBody='"1.0.0"')
    drill.up()
    drill.promise("the machine was not touched", drill.machine["instance_id"] == before)

    drill.say("1.1.1 has the fix, and replaces 1.0.0.")
    good = "registry.fly.io/solserver:1.1.1"
    drill.doubles.do("/fly/images", reference=good)
    drill.edit(image=good, expectBody='"1.1.1"')
    drill.up()
    drill.promise("users get 1.1.1", drill.health()["version"] == "1.1.1")
    drill.promise("what they wrote is there", drill.notes() == ["written under 1.0.0"])
