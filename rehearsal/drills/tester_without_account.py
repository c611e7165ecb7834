"""A tester is not a user of the team: `up` names them and the remedy, and continues once they have accepted an invitation.

Internal testers have to be users of the team in App Store Connect. One of four is not. What `up` created before the error is kept,
and nothing is created twice.
"""

from rehearsal.drills.drill import Drill


def run(drill: Drill) -> None:
    newcomer = {"email": "noor@sollabs.example", "firstName": "Noor", "lastName": "Haddad"}

    drill.say("Noor is listed as a tester, but is not a user of the team.")
    drill.edit(testers=[*drill.testers, newcomer])
    output = drill.failing_up()
    drill.promise(
        "the error names Noor and where to invite them", f"{newcomer['email']} is not a user of the team" in output
    )
    drill.promise("the others are in the group", _members(drill) == {tester["email"] for tester in drill.testers})

    drill.say("Somebody invites Noor on the website, and Noor accepts.")
    drill.doubles.do("/appstore/users", **newcomer)
    drill.up()
    drill.promise("the backend is up", drill.health()["status"] == "ok")
    drill.promise("Noor is in the group", newcomer["email"] in _members(drill))
    drill.promise("there is one build", len(drill.doubles.see("/appstore/state")["builds"]) == 1)


def _members(drill: Drill) -> set[str]:
    return {tester["email"] for tester in drill.doubles.see("/appstore/state")["betaTesters"]}
