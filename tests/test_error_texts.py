"""Texts are templates; errors carry their remedy and problems their key as fields."""

from providers.errors import ErrorText, ProblemText, ProviderError, TimedOut

GONE = ErrorText("machine {id} of app {app} does not exist", remedy="run `pulumi refresh`, then `pulumi up`")
TOO_SMALL = ProblemText("size_gb", "{size_gb} GB is too small", remedy="use at least 1")


def test_error_carries_its_remedy() -> None:
    error = GONE(id="148e", app="solos")

    assert str(error) == "machine 148e of app solos does not exist; run `pulumi refresh`, then `pulumi up`"
    assert error.message == "machine 148e of app solos does not exist"
    assert error.remedy == "run `pulumi refresh`, then `pulumi up`"


def test_error_has_its_class() -> None:
    text = ErrorText("no response within {seconds:g} s", error=TimedOut)

    assert isinstance(text(seconds=3.0), TimedOut)
    assert isinstance(GONE(id="148e", app="solos"), ProviderError)


def test_problem_carries_its_key() -> None:
    problem = TOO_SMALL(size_gb=0)

    assert problem.key == "size_gb"
    assert str(problem) == "0 GB is too small; use at least 1"
