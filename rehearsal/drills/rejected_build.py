"""Apple rejects a build after its upload, and accepts the fixed one.

Apple accepts the upload and rejects the build minutes later, with a code. `up` waits for that, fails with Apple's reason, and
does not change the backend or the testers. The fixed build has a higher number; the next `up` uploads it and continues.
"""

from rehearsal.drills.drill import Drill

CODE = "90683"
REASON = "Missing purpose string in Info.plist: NSCameraUsageDescription."


def run(drill: Drill) -> None:
    drill.doubles.do("/appstore/reject", codes={CODE: REASON})

    drill.say(
        "The first `up` deploys the backend and uploads the build, which uses the camera without a usage description."
    )
    output = drill.failing_up()
    drill.promise("the error has Apple's code and reason", CODE in output and REASON.rstrip(".") in output)
    drill.promise("the backend is up", drill.health()["status"] == "ok")
    drill.promise("no tester gets the build", not _builds(drill))

    drill.say("Build 0.1 has the usage description. Its number is higher than 0; the label is still v0.")
    machine = drill.machine["instance_id"]
    drill.edit(build="0.1")
    drill.up()
    drill.promise("the testers have build 0.1", _builds(drill) == ["0.1"])
    drill.promise("the machine was not updated", drill.machine["instance_id"] == machine)


def _builds(drill: Drill) -> list[str]:
    return [
        build["version"]
        for build in drill.doubles.see("/appstore/state")["builds"]
        if build["processingState"] == "VALID"
    ]
