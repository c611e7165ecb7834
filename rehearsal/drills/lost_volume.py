"""A volume is lost with its machine, and is restored from a snapshot.

The host fails. `up --refresh` refuses to replace the volume by an empty one. `fromSnapshot` is set to the newest snapshot, and
FLY_LOST gives the volume up: `up --refresh` creates a volume from the snapshot, and a machine with it. Writes after the snapshot are
lost, up to a day; with a replica, 10 seconds.
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
        f"Users have written {', '.join(drill.notes())}; the snapshot {snapshot['id']} was taken. Then the host fails."
    )
    drill.doubles.fly("DELETE", f"/apps/{app}/machines/{machine}?force=true")
    while drill.doubles.fly("DELETE", f"/apps/{app}/volumes/{volume}")[0] == 412:
        time.sleep(0.1)  # The volume stays attached to the deleted machine for a moment.
    drill.promise("users get no response", drill.notes() == [])

    drill.say(
        "`--refresh` makes `up` read first which resources still exist. It does not replace the data by an empty volume."
    )
    drill.promise("the way out is said", f'FLY_LOST="{volume}"' in drill.failing_up("--refresh"))

    drill.say("`fromSnapshot` is set, and FLY_LOST declares the volume lost.")
    drill.edit(database={"kind": "sqlite", "restoreDrill": "false", "fromSnapshot": snapshot["id"]})
    drill.up("--refresh", FLY_LOST=volume)
    drill.promise("there is a new volume", drill.volume["id"] != volume)
    drill.promise("it has the users' data", drill.notes() == ["Monday", "Tuesday"])

    drill.say("The setting can stay: it is used only when a volume is created.")
    drill.write("Wednesday")
    restored = drill.volume["id"]
    drill.up("--refresh")
    drill.promise("the volume was not replaced", drill.volume["id"] == restored)
    drill.promise("no data was lost", drill.notes() == ["Monday", "Tuesday", "Wednesday"])
