"""Texts that App Store Connect shows to testers: in which languages, how long, and with which characters."""

import re
from collections.abc import Iterable, Mapping

from providers.errors import Problem, ProblemText

LOCALES = frozenset(
    (
        *(
            "ar-SA",
            "bn-BD",
            "ca",
            "cs",
            "da",
            "de-DE",
            "el",
            "en-AU",
            "en-CA",
            "en-GB",
            "en-US",
            "es-ES",
            "es-MX",
            "fi",
        ),
        *("fr-CA", "fr-FR", "gu-IN", "he", "hi", "hr", "hu", "id", "it", "ja", "kn-IN", "ko", "ml-IN", "mr-IN", "ms"),
        *("nl-NL", "no", "or-IN", "pa-IN", "pl", "pt-BR", "pt-PT", "ro", "ru", "sk", "sl-SI", "sv", "ta-IN", "te-IN"),
        *("th", "tr", "uk", "ur-PK", "vi", "zh-Hans", "zh-Hant"),
    )
)
"""Apple's languages
(https://developer.apple.com/documentation/appstoreconnectapi/managing-metadata-in-your-app-by-using-locale-shortcodes)."""
MAX_LENGTH = 4000
"""Characters of "What to Test", and of the description for testers."""
_EMOJI = (
    "[\u20e3\ufe0f\u231a\u231b\u2328\u23cf\u23e9-\u23fa\u25fd\u25fe\u2600-\u26ff\u2702\u2705\u2708-\u270f\u2712\u2714\u2716"
    "\u271d\u2721\u2728\u2733\u2734\u2744\u2747\u274c\u274e\u2753-\u2757\u2763\u2764\u2795-\u2797\u27a1\u27b0\u27bf\u2b1b\u2b1c"
    "\u2b50\u2b55\U00010000-\U0010ffff]"
)
"""Emoji: also those of the basic plane (https://github.com/fastlane/fastlane/issues/20340). Apple has no list of them; these
are the characters that Unicode calls emoji, without signs such as \u2122 and arrows."""

EMPTY = ProblemText("whats_new", "the text for {locale} is empty")
TOO_LONG = ProblemText("whats_new", "the text for {locale} has {length} characters; Apple allows {limit}")
REFUSED = ProblemText(
    "whats_new",
    "the text for {locale} contains {characters}, which Apple refuses",
    remedy="replace '<' and emoji with words",
)
NOT_A_LOCALE = ProblemText("locale", "'{locale}' is not a language of App Store Connect", remedy="use {close}")


def text_problems(texts: Mapping[str, str]) -> Iterable[Problem]:
    """What Apple would refuse in texts by locale."""
    for locale, text in texts.items():
        yield from locale_problems(locale)
        if not text.strip():
            yield EMPTY(locale=locale)
        if len(text) > MAX_LENGTH:
            yield TOO_LONG(locale=locale, length=len(text), limit=MAX_LENGTH)
        if refused := sorted(_refused(text)):
            yield REFUSED(locale=locale, characters=" ".join(refused))


def _refused(text: str) -> set[str]:
    """The characters in `text` that Apple refuses: `<` and emoji."""
    emoji = re.findall(_EMOJI, text) if not text.isascii() else ()  # A preview need not compile the long pattern.
    return {*emoji, *({"<"} & {*text})}


def locale_problems(locale: str) -> Iterable[Problem]:
    """What is wrong with a language: Apple has `en-US`, not `en`, `en_US` or `English`."""
    if locale not in LOCALES:
        import difflib

        same = sorted(known for known in LOCALES if known.partition("-")[0].lower() == locale[:2].lower())
        close = difflib.get_close_matches(locale, LOCALES, n=3, cutoff=0.5)
        yield NOT_A_LOCALE(locale=locale, close=" or ".join(same or close) or "one such as en-US")
