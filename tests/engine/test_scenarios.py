"""What an engine does to a world, pinned on the embedded one and, where it is installed, on the real one."""

import json
import re

import pytest

from tests.engine.conftest import Things


def test_a_preview_touches_nothing(things: Things) -> None:
    code = things.preview()

    assert code == 0, things.text
    assert things.calls() == set()
    assert things.state() == {} if (things.folder / "state/.pulumi/stacks").exists() else True


def test_up_makes_everything_once(things: Things) -> None:
    assert things.up() == 0, things.text
    assert things.calls() == {"create first", "create box-lid", "create box-body", "create second"}

    assert things.up("--expect-no-changes") == 0, things.text
    assert things.calls() == set()


def test_a_changed_input_updates_what_it_reaches(things: Things) -> None:
    things.up()
    things.calls()

    assert things.up(colour="blue") == 0, things.text

    assert things.calls() == {"update first", "update box-lid", "update box-body"}
    assert things.state()["box-body"]["outputs"]["colour"] == "blue"


def test_a_replacement_is_made_before_the_old_one_goes_and_dependents_follow(things: Things) -> None:
    things.up(plan={"chained": True})
    old = things.only("first")
    things.calls()

    assert things.up(shape="square") == 0, things.text

    assert things.calls() == {"create first", "delete first", "create second", "delete second"}
    assert not old.exists()
    assert len(things.objects()) == 4


def test_a_replacement_that_goes_first_takes_its_dependents_along(things: Things) -> None:
    things.up(plan={"chained": True, "alone": True})
    things.calls()

    assert things.up(shape="square") == 0, things.text

    order = [json.loads(line) for line in (things.world / "calls").read_text().splitlines()]
    steps = [f"{call} {label}" for call, label in order if call in ("create", "delete")][-4:]
    assert steps == ["delete second", "delete first", "create first", "create second"]


def test_what_the_program_no_longer_declares_is_deleted(things: Things) -> None:
    things.up()
    things.calls()

    assert things.up(plan={"without": ["second"]}) == 0, things.text

    assert things.calls() == {"delete second"}
    assert "second" not in things.state()


def test_a_renamed_resource_with_an_alias_is_the_same_one(things: Things) -> None:
    things.up()
    before = things.state()["second"]["id"]
    things.calls()

    assert things.up(plan={"second": "renamed"}) == 0, things.text

    assert things.state()["renamed"]["id"] == before
    assert things.calls() == {"update renamed"}  # Its label is its name.


def test_ignored_changes_are_not_made(things: Things) -> None:
    things.up(plan={"ignore": ["colour"]})
    things.calls()

    assert things.up(colour="blue") == 0, things.text

    assert things.state()["first"]["inputs"]["colour"] == "red"
    assert "update first" not in things.calls()


def test_a_protected_resource_is_neither_replaced_nor_destroyed(things: Things) -> None:
    things.up(plan={"protect": True})
    things.calls()

    assert things.up(shape="square") == 1
    assert "protect" in things.text
    assert things.destroy() == 1
    assert "protect" in things.text
    assert things.only("first").exists()


def test_a_retained_resource_outlives_its_stack(things: Things) -> None:
    things.up(plan={"retain": True})

    assert things.destroy() == 0, things.text

    assert [value["label"] for value in things.objects().values()] == ["first"]


def test_destroy_leaves_nothing(things: Things) -> None:
    things.up()
    things.calls()

    assert things.destroy() == 0, things.text

    assert things.objects() == {}
    assert things.state() == {}
    assert things.calls() == {"delete first", "delete second", "delete box-lid", "delete box-body"}


def test_refresh_finds_what_is_gone_and_what_has_changed_and_up_repairs_it(things: Things) -> None:
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


def test_a_failed_step_leaves_the_rest_standing_and_the_next_up_goes_on(things: Things) -> None:
    (things.world / "fail-box-body").touch()

    assert things.up() == 1
    assert "box-body cannot be had today" in things.text
    assert {"first", "box-lid"} <= things.state().keys()
    assert "box-body" not in things.state()

    (things.world / "fail-box-body").unlink()
    assert things.up() == 0, things.text
    assert [value["label"] for value in things.objects().values()].count("first") == 1
    assert "second" in things.state()


def test_a_failed_deletion_keeps_what_it_needs(things: Things) -> None:
    things.up()
    (things.world / "fail-delete-second").touch()

    assert things.destroy() == 1
    assert "second" in things.state()
    assert "first" in things.state()

    (things.world / "fail-delete-second").unlink()
    assert things.destroy() == 0, things.text
    assert things.objects() == {}


def test_a_failed_update_keeps_the_old_inputs_and_is_repeated(things: Things) -> None:
    things.up()
    (things.world / "fail-first").touch()

    assert things.up(colour="blue") == 1
    assert things.state()["first"]["inputs"]["colour"] == "red"

    (things.world / "fail-first").unlink()
    things.calls()
    assert things.up() == 0, things.text
    assert "update first" in things.calls()


def test_a_refused_input_stops_before_anything_is_made(things: Things) -> None:
    code = things.preview() if things.up(colour="beige") == 0 else 1

    assert code == 1
    assert "nobody likes beige" in things.text
    assert "create first" not in things.calls()


def test_secrets_are_neither_printed_nor_in_clear_in_state(things: Things) -> None:
    assert things.up() == 0, things.text

    state = (things.folder / "state/.pulumi/stacks/things/dev.json").read_text()
    assert "hunter2" not in state + things.text
    assert "ciphertext" in things.state()["first"]["inputs"]["secret"]
    assert "ciphertext" in things.state()["first"]["outputs"]["secret"]
    assert "ciphertext" in things.state()["key"]["outputs"]["result"]
    assert "ciphertext" in things.state()["things-dev"]["outputs"]["key"]


def test_a_changed_trigger_runs_the_command_again(things: Things) -> None:
    things.up()
    before = things.state()["said"]["id"]

    assert things.up(colour="blue") == 0, things.text

    assert things.state()["said"]["id"] != before
    assert things.state()["said"]["outputs"]["stdout"] == things.state()["pet"]["id"]


def test_what_does_not_depend_on_each_other_is_made_at_the_same_time(things: Things) -> None:
    (things.world / "meet-first").write_text("box-lid")
    (things.world / "meet-box-lid").write_text("first")

    assert things.up() == 0, things.text


def test_a_preview_knows_what_a_replacement_will_reach_and_touches_nothing(things: Things) -> None:
    things.up(plan={"chained": True})
    things.calls()
    things.config["shape"] = "square"

    assert things.preview() == 0, things.text

    words = [line.split() for line in things.text.splitlines() if "replace" in line]
    replaced = {name for name in things.state() if any(name in line for line in words)}
    assert replaced == {"first", "second"}
    assert things.calls() == set()


def test_a_command_updates_in_place_and_cleans_up_after_itself(things: Things) -> None:
    scripts = {"update": 'echo "updated $LEVEL" >> $THINGS/said', "delete": "echo deleted >> $THINGS/said"}
    things.up(plan={"command": {**scripts, "environment": {"LEVEL": "1"}}})
    before = things.state()["said"]["id"]

    assert things.up(plan={"command": {**scripts, "environment": {"LEVEL": "2"}}}) == 0, things.text
    assert things.state()["said"]["id"] == before
    assert things.destroy() == 0, things.text

    assert (things.world / "said").read_text() == "updated 2\ndeleted\n"


def test_a_command_that_fails_says_how_and_is_run_again(things: Things) -> None:
    things.up()

    assert things.up(plan={"command": {"update": "echo no space >&2; exit 3"}}) == 1
    assert "exit status 3" in things.text
    assert "no space" in things.text

    assert things.up(plan={"command": {"update": "echo done"}}) == 0, things.text
    assert things.state()["said"]["outputs"]["stdout"] == "done"


@pytest.mark.parametrize("things", ["embedded"], indirect=True)
def test_the_display_has_a_line_for_each_change_and_a_summary(things: Things) -> None:
    things.up()

    assert things.up(colour="blue") == 0, things.text

    assert re.search(r"^ ~ \S+ +first updated \(\d+\.\d s\)\n +colour: \"red\" => \"blue\"$", things.text, re.MULTILINE)
    assert "box-lid updated" in things.text
    assert "second" not in things.text
    assert "    ~ 3 updated" in things.text
