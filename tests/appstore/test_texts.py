"""Texts that Apple refuses are refused before, and by the double."""

from typing import Any

import pytest

from harness.appstore import build_arguments, make_app
from harness.driver import Driven
from providers.appstore import texts
from providers.appstore.build_upload import BuildUploadProvider
from providers.appstore.processed_build import ProcessedBuildProvider
from rehearsal.cloud.appstore import builds
from rehearsal.cloud.appstore.locales import LOCALES
from rehearsal.cloud.world import World
from tests.cloud.appstore.caller import Caller


@pytest.mark.parametrize(
    "sign", ["<", "\u26a0", "\u2705", "\u26a1", "\u2b50", "\u231a", "\u2764", "\ufe0f", "\N{ROCKET}", "\N{BABY CHICK}"]
)
def test_refused_characters(sign: str) -> None:
    (problem,) = texts.text_problems({"en-US": f"Try it {sign}"})

    assert problem.message == f"the text for en-US contains {sign}, which Apple refuses"
    assert sign == "<" or builds.is_emoji(sign)


@pytest.mark.parametrize(
    "text", ["Größe, naïve, 日本語, русский", "10 € > 5 €, 20 °C", "a \u2022 b \u2192 c \u2122 \u2013 “d”"]
)
def test_accepted_characters(text: str) -> None:
    assert list(texts.text_problems({"en-US": text})) == []


@pytest.mark.parametrize(
    ("locale", "remedy"),
    [
        ("en", "use en-AU or en-CA or en-GB or en-US"),
        ("en_US", "use en-AU or en-CA or en-GB or en-US"),
        ("German", "use one such as en-US"),
        ("fr", "use fr-CA or fr-FR"),
        ("it-IT", "use it"),
    ],
)
def test_refused_locale(locale: str, remedy: str) -> None:
    (problem,) = texts.text_problems({locale: "Try it."})

    assert (problem.message, problem.remedy) == (f"'{locale}' is not a language of App Store Connect", remedy)


def test_same_locales_in_the_double() -> None:
    assert set(LOCALES) == texts.LOCALES


def test_refused_by_apple(world: World, configured: Any, tmp_path: Any) -> None:
    app = make_app(world, configured)
    upload = Driven(configured(BuildUploadProvider)).up(**build_arguments(tmp_path, app))
    build = Driven(configured(ProcessedBuildProvider))
    build.up(app_id=app, upload_id=upload["upload_id"], short_version="1.0.0", version="0")
    link = {"type": "builds", "id": build.outputs["build_id"]}
    caller = Caller(world)

    emoji = caller.make("betaBuildLocalizations", {"locale": "fr-FR", "whatsNew": "Go \u26a1"}, 409, build=link)
    language = caller.make("betaBuildLocalizations", {"locale": "fr", "whatsNew": "Go"}, 409, build=link)

    assert emoji["code"] == "ENTITY_ERROR.ATTRIBUTE.INVALID.INVALID_CHARACTERS"
    assert emoji["detail"] == "Text for whatsNew contains invalid characters:'[\u26a1]'."
    assert language["source"]["pointer"] == "/data/attributes/locale"
