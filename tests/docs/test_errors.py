"""infra-docs/ERRORS.md holds every text that the code fails with, and keeps up with it."""

import ast

from documents.errors import PATH, Told, render, texts_of


def test_the_document_is_what_the_code_says() -> None:
    assert PATH.read_text(encoding="utf-8") == render(), "infra-docs/ERRORS.md lags: run `make docs`"


def test_a_raised_text_is_read_with_names_in_place_of_values() -> None:
    code = """
def find(args):
    if taken:
        told = f"the app {args.app!r} has {len(found)} volumes: delete {found['id']}"
        raise TwoOfThem(told)
"""

    texts = list(texts_of(ast.parse(code), "volume.py"))

    assert texts == [Told("the app <app> has <found> volumes: delete <found id>", "TwoOfThem", "volume.py")]


def test_refusals_sentences_and_remedies_are_read_too() -> None:
    code = """
class Expired(Error):
    remedy = "make a new token, then run up again"

def read(config):
    config.refuse("testers", "is empty: nobody would get it")

def validate(self, args):
    yield f"size_gb must be 1 to 500, not {args.size_gb}"
"""

    texts = {each.text for each in texts_of(ast.parse(code), "settings.py")}

    assert texts == {
        "make a new token, then run up again",
        "solos:testers is empty: nobody would get it",
        "size_gb must be 1 to 500, not <size gb>",
    }


def test_what_only_passes_a_text_on_is_no_row() -> None:
    code = """
def call(self):
    raise Refused(str(error), status=409)
"""

    assert list(texts_of(ast.parse(code), "client.py")) == []
