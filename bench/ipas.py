"""A preview with an IPA of 1 GiB in the project, compared to a small one: of the build that is uploaded, and of the next one.

Most of the large IPA is one file that is not compressed, as videos and models are.
"""

import os
import shutil
import zipfile
from functools import partial
from pathlib import Path

from bench.launched import Launch, new_launch
from bench.options import Options
from bench.paired import Paired, alternated

PIECE = 1 << 20
NEXT_BUILD = "0.1"
REFUSED = f"its build number is 0, the stack's is {NEXT_BUILD}"
"""A preview of the next build says this of the IPA, which is that of the uploaded one."""


def run(options: Options) -> None:
    with new_launch() as launch:
        launch.first_up()
        ipa = launch.stack.project / launch.stack.config["solos:ipa"]
        small, large = ipa.with_name("small.ipa"), ipa.with_name("large.ipa")
        shutil.copy(ipa, small)
        _grown(ipa, large, max(options.mib))
        launch.stack.configure(archive=None)  # The IPA is built elsewhere, so a preview inspects it.
        for what, build, refused in (
            ("uploaded", launch.stack.config["solos:build"], ""),
            ("next", NEXT_BUILD, REFUSED),
        ):
            launch.stack.configure(build=build)
            ways = [partial(_preview, launch, ipa, file, refused) for file in (large, small)]
            ours, theirs = ([each.cpu for each in spent] for spent in alternated(ways, options.rounds))
            print(f"  {max(options.mib)} MiB, {what:<10}{Paired(ours, theirs)} of a small IPA", flush=True)


def _preview(launch: Launch, ipa: Path, file: Path, refused: str) -> None:
    """A preview that must succeed, or be refused with that text."""
    ipa.unlink()
    os.link(file, ipa)
    failed = launch.stack.run("preview") != 0
    if failed != bool(refused) or refused not in launch.stack.text:
        raise SystemExit(f"the preview {'failed' if failed else 'succeeded'}:\n{launch.stack.text}")


def _grown(ipa: Path, large: Path, mib: int) -> None:
    """A copy of the IPA with a file of `mib` MiB in the app."""
    shutil.copy(ipa, large)
    with zipfile.ZipFile(large, "a") as archive:
        app = next(name for name in archive.namelist() if name.endswith(".app/Info.plist")).rpartition("/")[0]
        with archive.open(zipfile.ZipInfo(f"{app}/model.bin"), "w", force_zip64=True) as file:
            piece = os.urandom(PIECE)
            for _ in range(mib):
                file.write(piece)
