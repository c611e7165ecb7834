"""Mistakes that a newcomer makes, or tries on purpose: one line that says what to do, and the next run ends well."""

from collections.abc import Callable

from tests.rehearsal.conftest import Clone

Break = Callable[[Clone], None]
ADA = {"email": "ada@sollabs.exmaple", "firstName": "Ada", "lastName": "Ferreira"}


def edit(name: str, before: str, after: str) -> Break:
    """Change a text that a file has once."""

    def apply(clone: Clone) -> None:
        text = (clone.folder / name).read_text()
        assert text.count(before) == 1
        clone.write(name, text.replace(before, after))

    return apply


def set_key(**changes: object) -> Break:
    return lambda clone: clone.configure(**changes)


def remove(name: str) -> Break:
    return lambda clone: (clone.folder / name).unlink()


BEFORE_LAUNCH: dict[str, tuple[Break, str]] = {
    "malformed YAML": (
        lambda clone: clone.write("Pulumi.rehearsal.yaml", "config: [solos:org"),
        "error: Pulumi.rehearsal.yaml is not valid YAML",
    ),
    "no configuration": (
        lambda clone: clone.write("Pulumi.rehearsal.yaml", "{}"),
        "error: Pulumi.rehearsal.yaml has no `config:`",
    ),
    "stack file deleted": (
        remove("Pulumi.rehearsal.yaml"),
        "error: Pulumi.rehearsal.yaml is missing: this rehearses the stack of that file; `make dress-rehearsal` rehearses",
    ),
    "fly.toml deleted": (remove("fly.toml"), "fly.toml"),
    "misspelt key": (set_key(bundelId="com.sollabs.solos"), "solos:bundelId: is unknown; did you mean bundleId?"),
    "misspelt required key": (
        set_key(bundleId=None, bundelId="com.sollabs.solos"),
        "solos:bundelId: is unknown; did you mean bundleId?",
    ),
    "key of the wrong type": (set_key(testers="ada"), "'testers' must be of type"),
    "bundle ID that Apple refuses": (set_key(bundleId="com.sollabs_solos"), "com.sollabs_solos"),
    "region that Fly does not have": (edit("fly.toml", '"sjc"', '"xyz"'), "xyz"),
    "IPA missing": (set_key(archive=None, ipa="build/none.ipa"), "build/none.ipa"),
    "image that nobody pushed": (set_key(image="registry.fly.io/solserver:1.0.1"), "the image does not exist"),
    "mistyped tester": (set_key(testers=[ADA]), "ada@sollabs.exmaple"),
}
AFTER_LAUNCH: dict[str, tuple[Break, str]] = {
    "other region": (edit("fly.toml", '"sjc"', '"ord"'), "ord"),
    "other bundle ID": (set_key(bundleId="com.sollabs.other"), "com.sollabs.other"),
    "port where no server listens": (edit("fly.toml", "internal_port = 8080", "internal_port = 8081"), "8081"),
}


def try_all(clone: Clone, breaks: dict[str, tuple[Break, str]]) -> None:
    fly_toml = (clone.folder / "fly.toml").read_text()
    for name, (apply, expected) in breaks.items():
        clone.configure()
        apply(clone)

        code = clone.run()

        assert code not in (0, None), f"{name}: {clone.text}"
        assert "Traceback" not in clone.text, f"{name}: {clone.text}"
        assert any(expected in line for line in clone.text.splitlines()), f"{name}: {clone.text}"
        clone.write("fly.toml", fly_toml)
    clone.configure()
    assert clone.run() == 0, clone.text


def test_breaks_before_launch(clone: Clone) -> None:
    try_all(clone, BEFORE_LAUNCH)


def test_breaks_after_launch(clone: Clone) -> None:
    assert clone.run() == 0, clone.text

    try_all(clone, AFTER_LAUNCH)
