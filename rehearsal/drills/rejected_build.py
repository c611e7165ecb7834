"""A build is rejected by Apple after its upload, and the fixed one goes through.

Apple takes the file and refuses the build minutes later, by a code. `up` waits for that, says what Apple said, and leaves the
backend and the testers as they are. The fixed build has another number; the next `up` uploads it and goes on from there.
"""

from rehearsal.drills.drill import Drill

CODE = "90683"
REASON = "Missing purpose string in Info.plist: NSCameraUsageDescription."


def run(drill: Drill) -> None:
    drill.doubles.do("/appstore/reject", codes={CODE: REASON})

    drill.say(
        "The first `up`: the backend gets healthy, the build is uploaded. It uses the camera and does not say what for."
    )
    output = drill.failing_up()
    drill.promise("the error has Apple's code and reason", CODE in output and REASON.rstrip(".") in output)
    drill.promise("the backend is up", drill.health()["status"] == "ok")
    drill.promise("nobody got the build", not _builds(drill))

    drill.say("The purpose is put into Info.plist. Build 0.1 is higher than 0 and still v0 to everybody.")
    machine = drill.machine["instance_id"]
    drill.edit(build="0.1")
    drill.up()
    drill.promise("the testers have build 0.1", _builds(drill) == ["0.1"])
    drill.promise("the backend was not touched", drill.machine["instance_id"] == machine)


def _builds(drill: Drill) -> list[str]:
    return [
        build["version"]
        for build in drill.doubles.see("/appstore/state")["builds"]
        if build["processingState"] == "VALID"
    ]
