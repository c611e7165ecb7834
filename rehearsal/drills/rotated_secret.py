"""A secret is rotated: when `up` ends, the machine runs with the new value.

The stack generated SESSION_SECRET. It may have leaked, so a new value is configured, encrypted. `up` sets it at Fly and updates the
machine, because a machine loads new secrets only with a new version. No value is shown.
"""

import hashlib

from rehearsal.drills.drill import Drill

NAME = "SESSION_SECRET"
READ = f"import hashlib, os; print(hashlib.sha256(os.environ['{NAME}'].encode()).hexdigest(), end='')"


def run(drill: Drill) -> None:
    drill.launch()
    drill.write("written before")
    before = _digest_in_machine(drill)

    drill.say(
        f"{NAME} may have leaked. A new value is set with `pulumi config set --secret --path 'secrets.{NAME}'`, "
        "which stores it encrypted in the stack file."
    )
    value = hashlib.sha256(b"a value for this drill only").hexdigest()
    drill.edit(secrets={NAME: drill.stack.encrypted(value)})
    output = drill.up()
    after = _digest_in_machine(drill)
    drill.promise("the value in the machine has changed", after != before)
    drill.promise("it is the configured one", after == hashlib.sha256(value.encode()).hexdigest())
    drill.promise("the output does not contain it", value not in output)
    drill.promise("the state does not contain it in plain text", value not in drill.stack.exported())
    drill.promise("the backend responds, with the users' data", drill.notes() == ["written before"])


def _digest_in_machine(drill: Drill) -> str:
    """SHA-256 of the value in the environment of the server's machine, as `fly ssh console` would show it."""
    path = f"/apps/{drill.app}/machines/{drill.machine['id']}/exec"
    status, response = drill.doubles.fly("POST", path, command=["python3", "-c", READ])
    drill.promise(f"the machine has a {NAME}", status == 200 and response["exit_code"] == 0)
    return str(response["stdout"])
