"""A volume is lost with its machine, and comes back with its rows from a snapshot.

The host dies. The stack file names the newest snapshot; `up --refresh` sees that machine and volume are gone, makes the volume of
the snapshot and the machine on it. What was written after that snapshot is gone: a replica loses 10 seconds where this loses a day.
"""

import time

from rehearsal.drills.drill import Drill


def run(drill: Drill) -> None:
    drill.launch()
    drill.write("Monday", "Tuesday")
    app, machine, volume = drill.app, drill.machine["id"], drill.volume["id"]
    drill.doubles.fly("POST", f"/apps/{app}/volumes/{volume}/snapshots")
    snapshots = f"/apps/{app}/volumes/{volume}/snapshots"
    while (snapshot := drill.doubles.fly("GET", snapshots)[1][-1])["status"] != "created":
        time.sleep(0.1)

    drill.say(
        f"Users have written {', '.join(drill.notes())}; the snapshot {snapshot['id']} was taken. Then the host dies."
    )
    drill.doubles.fly("DELETE", f"/apps/{app}/machines/{machine}?force=true")
    while drill.doubles.fly("DELETE", f"/apps/{app}/volumes/{volume}")[0] == 412:
        time.sleep(0.1)  # It is bound to the machine for a moment longer.
    drill.promise("users get nothing", drill.notes() == [])

    drill.say("The stack file names the snapshot; `--refresh` looks first what is still there.")
    drill.edit(database={"kind": "sqlite", "restoreDrill": "false", "fromSnapshot": snapshot["id"]})
    drill.up("--refresh")
    drill.promise("the volume is another one", drill.volume["id"] != volume)
    drill.promise("users read what they wrote", drill.notes() == ["Monday", "Tuesday"])

    drill.say("The setting may stay: it counts when a volume is made, and at no other time.")
    drill.write("Wednesday")
    restored = drill.volume["id"]
    drill.up("--refresh")
    drill.promise("the volume stays", drill.volume["id"] == restored)
    drill.promise("nothing went back", drill.notes() == ["Monday", "Tuesday", "Wednesday"])
