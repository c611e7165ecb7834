"""What is launched: version, build number and label, as the stack says them."""

from dataclasses import dataclass

from components.config import StackConfig
from providers.appstore.ipa import versions


@dataclass(frozen=True, kw_only=True)
class Release:
    """What is launched. Apple stores `version` and `build`; `label` is what people say."""

    version: str
    build: str
    label: str

    @property
    def title(self) -> str:
        return f"{self.version} ({self.label})"


def read_release(config: StackConfig) -> Release:
    release = Release(version=config.text("version"), build=config.text("build"), label=config.text("label"))
    for key, number in (("version", release.version), ("build", release.build)):
        if number:
            config.refuse_all(key, filter(None, [versions.problem(number, key)]))
    return release
