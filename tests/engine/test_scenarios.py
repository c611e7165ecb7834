"""The behaviour of the engine, tested on the embedded one and, if installed, on the Pulumi CLI."""

import json
import re

import pytest

from tests.engine.conftest import Things


def test_preview_changes_nothing(things: Things) -> None:
    code = things.preview()

    assert code == 0, things.text
    assert things.calls() == set()
    assert things.state() == {} if (things.folder / "state/.pulumi/stacks").exists() else True


def test_up_is_idempotent(things: Things) -> None:
    assert things.up() == 0, things.text
    assert things.calls() == {"create first", "create box-lid", "create box-body", "create second"}
    states = (things.folder / "state/.pulumi/stacks").rglob("*.json")
    if things.engine == "embedded":  # The CLI's own files follow the umask.
        assert {oct(state.stat().st_mode & 0o777) for state in states} == {"0o600"}

    assert things.up("--expect-no-changes") == 0, things.text
    assert things.calls() == set()


def test_update_reaches_dependents(things: Things) -> None:
    things.up()
    things.calls()

    assert things.up(colour="blue") == 0, things.text

    assert things.calls() == {"update first", "update box-lid", "update box-body"}
    assert things.state()["box-body"]["outputs"]["colour"] == "blue"


def test_create_before_delete(things: Things) -> None:
    """A replacement is created first; dependents are replaced too."""
    things.up(plan={"chained": True})
    old = things.only("first")
    things.calls()

    assert things.up(shape="square") == 0, things.text

    assert things.calls() == {"create first", "delete first", "create second", "delete second"}
    assert not old.exists()
    assert len(things.objects()) == 4


def test_delete_before_create(things: Things) -> None:
    """Dependents are deleted before the resource."""
    things.up(plan={"chained": True, "alone": True})
    things.calls()

    assert things.up(shape="square") == 0, things.text

    order = [json.loads(line) for line in (things.world / "calls").read_text().splitlines()]
    steps = [f"{call} {label}" for call, label in order if call in ("create", "delete")][-4:]
    assert steps == ["delete second", "delete first", "create first", "create second"]


def test_undeclared_is_deleted(things: Things) -> None:
    things.up()
    things.calls()

    assert things.up(plan={"without": ["second"]}) == 0, things.text

    assert things.calls() == {"delete second"}
    assert "second" not in things.state()


ALL = {"first", "box-lid", "box-body", "second"}


def test_target(things: Things) -> None:
    """Only the target changes, and nothing else is compared."""
    things.up()
    things.calls()

    things.config["colour"] = "blue"
    assert things.preview("--target", "**second", "--expect-no-changes") == 0, things.text
    assert things.preview("--target", "**first", "--expect-no-changes") != 0
    assert things.up("--target", "**nothing") == 0, things.text
    assert things.calls() == set()
    assert things.up("--target", "**first") == 0, things.text
    assert things.calls() == {"update first"}
    assert things.state()["box-lid"]["inputs"]["colour"] == "red"

    assert things.up() == 0, things.text
    assert things.calls() == {"update box-lid", "update box-body"}


def test_target_on_new_stack(things: Things) -> None:
    """Nothing else is created. What needs something else cannot be."""
    assert things.up("--target", "**first") == 0, things.text
    assert things.calls() == {"create first"}
    assert not {"box", "box-lid", "second"} & things.state().keys()

    assert things.up("--target", "**second") != 0
    assert "which was" in things.text
    assert "not specified in --target list" in things.text
    assert things.calls() == set()

    assert things.up() == 0, things.text
    assert things.calls() == {"create box-lid", "create box-body", "create second"}


def test_undeclared_is_no_target(things: Things) -> None:
    """What the program has left out is deleted as a target, and otherwise refused."""
    things.up()
    things.calls()

    assert things.up("--target", "**first", plan={"without": ["second"]}) != 0
    assert "will be destroyed but was not specified in --target list" in things.text
    assert things.up("--target", "**second") == 0, things.text
    assert things.calls() == {"delete second"}


def test_target_dependents(things: Things) -> None:
    things.up(plan={"chained": True})
    things.calls()

    assert things.up("--target", "**first", "--target-dependents", shape="square", colour="blue") == 0, things.text

    assert things.calls() == {"create first", "delete first", "create second", "delete second"}


def test_exclude(things: Things) -> None:
    things.up()
    things.calls()

    assert things.up("--exclude", "**box-*", colour="blue") == 0, things.text

    assert things.calls() == {"update first"}


def test_refresh_of_target(things: Things) -> None:
    things.up()
    things.only("second").unlink()
    things.calls()

    assert things.refresh("--target", "**first") == 0, things.text

    assert things.calls() == {"read first"}
    assert "second" in things.state()


def test_destroy_of_target(things: Things) -> None:
    """What depends on it has to be a target too."""
    things.up()
    things.calls()

    assert things.destroy("--target", "**first") != 0
    assert "will be destroyed but was not specified in --target list" in things.text
    assert things.calls() == set()

    assert things.destroy("--target", "**second") == 0, things.text
    assert things.calls() == {"delete second"}
    assert things.state().keys() & ALL == ALL - {"second"}

    assert things.destroy("--target", "**box-lid", "--target-dependents") == 0, things.text
    assert things.calls() == {"delete box-lid", "delete box-body"}


def test_alias(things: Things) -> None:
    """A renamed resource with an alias is updated, not replaced."""
    things.up()
    before = things.state()["second"]["id"]
    things.calls()

    assert things.up(plan={"second": "renamed"}) == 0, things.text

    assert things.state()["renamed"]["id"] == before
    assert things.calls() == {"update renamed"}  # the label is the name


def test_ignore_changes(things: Things) -> None:
    things.up(plan={"ignore": ["colour"]})
    things.calls()

    assert things.up(colour="blue") == 0, things.text

    assert things.state()["first"]["inputs"]["colour"] == "red"
    assert "update first" not in things.calls()


def test_ignored_change_of_replacement(things: Things) -> None:
    """A replacement is made from what the program says now: there is nothing to keep."""
    things.up(plan={"ignore": ["colour"]})

    assert things.up(colour="blue", shape="square") == 0, things.text

    assert things.state()["first"]["inputs"]["colour"] == "blue"


def test_protect(things: Things) -> None:
    """A protected resource is neither replaced nor deleted."""
    things.up(plan={"protect": True})
    things.calls()

    assert things.up(shape="square") == 1
    assert "protect" in things.text
    assert things.destroy() == 1
    assert "protect" in things.text
    assert things.only("first").exists()


def test_retain_on_delete(things: Things) -> None:
    things.up(plan={"retain": True})

    assert things.destroy() == 0, things.text

    assert [value["label"] for value in things.objects().values()] == ["first"]


def test_destroy(things: Things) -> None:
    things.up()
    things.calls()

    assert things.destroy() == 0, things.text

    assert things.objects() == {}
    assert things.state() == {}
    assert things.calls() == {"delete first", "delete second", "delete box-lid", "delete box-body"}


def test_refresh_and_repair(things: Things) -> None:
    """Refresh finds deleted and changed objects, and `up` repairs them."""
    things.up()
    things.only("second").unlink()
    lid = things.only("box-lid")
    lid.write_text(json.dumps({"colour": "green", "shape": "round", "label": "box-lid"}))
    things.calls()

    assert things.refresh() == 0, things.text
    assert "second" not in things.state()
    assert things.state()["box-lid"]["outputs"]["colour"] == "green"
    assert things.calls() == {"read first", "read second", "read box-lid", "read box-body"}

    assert things.up() == 0, things.text
    assert things.calls() == {"create second", "update box-lid"}
    assert json.loads(lid.read_text())["colour"] == "red"


def test_failed_create(things: Things) -> None:
    """Other resources are kept, and the next `up` continues."""
    (things.world / "fail-box-body").touch()

    assert things.up() == 1
    assert "box-body is out of stock" in things.text
    assert {"first", "box-lid"} <= things.state().keys()
    assert "box-body" not in things.state()

    (things.world / "fail-box-body").unlink()
    assert things.up() == 0, things.text
    assert [value["label"] for value in things.objects().values()].count("first") == 1
    assert "second" in things.state()


def test_failed_delete(things: Things) -> None:
    """A resource that cannot be deleted is kept with its dependencies."""
    things.up()
    (things.world / "fail-delete-second").touch()

    assert things.destroy() == 1
    assert "second" in things.state()
    assert "first" in things.state()

    (things.world / "fail-delete-second").unlink()
    assert things.destroy() == 0, things.text
    assert things.objects() == {}


def test_failed_update(things: Things) -> None:
    """The old inputs are kept, and the next `up` repeats the update."""
    things.up()
    (things.world / "fail-first").touch()

    assert things.up(colour="blue") == 1
    assert things.state()["first"]["inputs"]["colour"] == "red"

    (things.world / "fail-first").unlink()
    things.calls()
    assert things.up() == 0, things.text
    assert "update first" in things.calls()


def test_check_failure(things: Things) -> None:
    """A check failure stops the run before anything is created."""
    code = things.preview() if things.up(colour="beige") == 0 else 1

    assert code == 1
    assert "nobody likes beige" in things.text
    assert "create first" not in things.calls()


def test_secrets_stay_secret(things: Things) -> None:
    """Secrets are not printed, and encrypted in the state."""
    assert things.up() == 0, things.text

    state = (things.folder / "state/.pulumi/stacks/things/dev.json").read_text()
    assert "hunter2" not in state + things.text
    assert "ciphertext" in things.state()["first"]["inputs"]["secret"]
    assert "ciphertext" in things.state()["first"]["outputs"]["secret"]
    assert "ciphertext" in things.state()["key"]["outputs"]["result"]
    assert "ciphertext" in things.state()["things-dev"]["outputs"]["key"]


def test_command_trigger(things: Things) -> None:
    """A changed trigger replaces the command."""
    things.up()
    before = things.state()["said"]["id"]

    assert things.up(colour="blue") == 0, things.text

    assert things.state()["said"]["id"] != before
    assert things.state()["said"]["outputs"]["stdout"] == things.state()["pet"]["id"]


def test_parallel_steps(things: Things) -> None:
    """Independent resources are created in parallel."""
    (things.world / "meet-first").write_text("box-lid")
    (things.world / "meet-box-lid").write_text("first")

    assert things.up() == 0, things.text


def test_preview_of_replacement(things: Things) -> None:
    """A preview shows the dependents of a replacement, and changes nothing."""
    things.up(plan={"chained": True})
    things.calls()
    things.config["shape"] = "square"

    assert things.preview() == 0, things.text

    words = [line.split() for line in things.text.splitlines() if "replace" in line]
    replaced = {name for name in things.state() if any(name in line for line in words)}
    assert replaced == {"first", "second"}
    assert things.calls() == set()


def test_command_update_and_delete(things: Things) -> None:
    scripts = {"update": 'echo "updated $LEVEL" >> $THINGS/said', "delete": "echo deleted >> $THINGS/said"}
    things.up(plan={"command": {**scripts, "environment": {"LEVEL": "1"}}})
    before = things.state()["said"]["id"]

    assert things.up(plan={"command": {**scripts, "environment": {"LEVEL": "2"}}}) == 0, things.text
    assert things.state()["said"]["id"] == before
    assert things.destroy() == 0, things.text

    assert (things.world / "said").read_text() == "updated 2\ndeleted\n"


def test_failing_command(things: Things) -> None:
    """The error has the output of the command; the next `up` runs it again."""
    things.up()

    assert things.up(plan={"command": {"update": "echo no space >&2; exit 3"}}) == 1
    assert "exit status 3" in things.text
    assert "no space" in things.text

    assert things.up(plan={"command": {"update": "echo done"}}) == 0, things.text
    assert things.state()["said"]["outputs"]["stdout"] == "done"


@pytest.mark.parametrize("things", ["embedded"], indirect=True)
def test_display(things: Things) -> None:
    things.up()

    assert things.up(colour="blue") == 0, things.text

    assert re.search(r"^ ~ \S+ +first updated \(\d+\.\d s\)\n +colour: \"red\" => \"blue\"$", things.text, re.MULTILINE)
    assert "box-lid updated" in things.text
    assert "second" not in things.text
    assert "    ~ 3 updated" in things.text
