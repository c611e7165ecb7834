"""Turns what stops a rehearsal into one line, with the reason and the remedy, and an exit code other than 0."""

import errno
import signal
import sqlite3
import sys
from collections.abc import Callable

from project.files import BadProject
from rehearsal.cloud.server import PortTaken
from rehearsal.doubles import Refused
from rehearsal.folder import InUse
from rehearsal.processes import Interrupted, Killed

REMEDIES = {
    errno.ENOSPC: "free some space, then run the same command again",
    errno.EDQUOT: "free some space, then run the same command again",
    errno.EACCES: "make it readable and writable for your user",
    errno.EPERM: "make it readable and writable for your user",
    errno.EROFS: "run this in a clone on a disk that can be written to",
    errno.ENOENT: "restore it",
    errno.ENOTDIR: "move the file that is in the way",
}
AGAIN = "run the same command again; it continues where this run ended"


def exit_code(run: Callable[[], int]) -> int:
    """The exit code of `run`. What stops it is printed in one line: 128 + n for signal n, otherwise 1."""
    try:
        return run()
    except Interrupted as interrupted:
        print(f"\nStopped by {signal.Signals(interrupted.number).name}: {AGAIN}.", file=sys.stderr)
        return 128 + interrupted.number
    except Killed as error:
        message = f"{error}: {AGAIN}"
    except OSError as error:
        remedy = REMEDIES.get(error.errno or 0, "fix this, then run the same command again")
        message = f"{error.filename or 'a file'}: {error.strerror or error}: {remedy}"
    except sqlite3.OperationalError as error:
        remedy = REMEDIES[errno.ENOSPC if "full" in str(error) else errno.EACCES]
        message = f"the doubles cannot write their state to world.sqlite3: {error}: {remedy}"
    except (BadProject, InUse, PortTaken, Refused) as error:
        message = str(error)
    print(f"error: {message}", file=sys.stderr)
    return 1
