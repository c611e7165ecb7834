"""One key of a stack file is set, and everything else stays as it is."""

from pathlib import Path

import pytest

from project.files import BadProject
from project.stack_text import set_key

FILE = Path("Pulumi.prod.yaml")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("config:\n  a:b: 1\n", "config:\n  a:b: 1\n  a:k:\n    x: y\n"),
        ("config:\n  a:b: 1", "config:\n  a:b: 1\n  a:k:\n    x: y\n"),
        ("config:\n  a:k: {}\n\n  # of b\n  a:b: 1\n", "config:\n  a:k:\n    x: y\n\n  # of b\n  a:b: 1\n"),
        ("config:\n    a:k:\n        x: z  # old\n# end\ns: 1\n", "config:\n    a:k:\n      x: y\n# end\ns: 1\n"),
        (
            "config:\n  a:k:\n    x: z\n  # of w\n  a:w:\n    v: 1\ns: 1\n",
            "config:\n  a:k:\n    x: y\n  # of w\n  a:w:\n    v: 1\ns: 1\n",
        ),
        (
            "config:\n  a:k:\n    x:\n    - [1, 2]\n    - w: {}\n  a:w: 1\n",
            "config:\n  a:k:\n    x: y\n  a:w: 1\n",
        ),
        ("config:\n  a:k:\n    x:\n  a:w: 1\n", "config:\n  a:k:\n    x: y\n  a:w: 1\n"),
        (
            "config:\n  a:t: |\n    one\n    two\ns: 1\n",
            "config:\n  a:t: |\n    one\n    two\n  a:k:\n    x: y\ns: 1\n",
        ),
    ],
    ids=["new", "no-newline", "empty", "replaced", "before-a-block", "list", "null", "after-a-text"],
)
def test_key_is_set(before: str, after: str) -> None:
    assert set_key(before, "a:k", {"x": "y"}, FILE) == after


@pytest.mark.parametrize("text", ["config: {a:b: 1}\n", "config:\n", "other: 1\n"])
def test_unusual_file_is_refused(text: str) -> None:
    with pytest.raises(BadProject, match="one key per line"):
        set_key(text, "a:k", {}, FILE)
