"""A secret is rotated: the machine runs with the new value when `up` ends.

The stack made SESSION_SECRET by itself. Somebody may have seen it, so a new value is given, encrypted. `up` sets it at Fly and
rolls the machine, because Fly gives a machine new secrets with a new version only; a value never shows.
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
        f"{NAME} may be known to somebody. A new value is set with `pulumi config set --secret --path 'solos:secrets.{NAME}'`, "
        "which encrypts it into the stack file."
    )
    value = hashlib.sha256(b"a drill's, and worth nothing").hexdigest()
    drill.edit(secrets={NAME: drill.stack.encrypted(value)})
    output = drill.up()
    after = _digest_in_machine(drill)
    drill.promise("the server has another value than before", after != before)
    drill.promise("it is the one that was given", after == hashlib.sha256(value.encode()).hexdigest())
    drill.promise("the value is in no line of the output", value not in output)
    drill.promise("the value is not readable in the state", value not in drill.stack.exported())
    drill.promise("users are served, with what they wrote", drill.notes() == ["written before"])


def _digest_in_machine(drill: Drill) -> str:
    """Of the value in the environment of the server's machine, as `fly ssh console` would show it."""
    path = f"/apps/{drill.app}/machines/{drill.machine['id']}/exec"
    status, answer = drill.doubles.fly("POST", path, command=["python3", "-c", READ])
    drill.promise(f"the machine has a {NAME}", status == 200 and answer["exit_code"] == 0)
    return str(answer["stdout"])
