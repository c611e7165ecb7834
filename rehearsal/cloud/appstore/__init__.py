"""The double of App Store Connect.

kinds.py       what a resource is            apps.py, bundle_ids.py, beta_groups.py, beta_testers.py, builds.py,
api.py         JSON:API over the kinds       build_uploads.py, certificates.py, profiles.py, people.py: the kinds
auth.py        keys, roles, budget           processing.py   what Apple does with an IPA
refusals.py    Apple's errors                metrics.py      usage of builds
authority.py   signs certificates, profiles  storage.py      where the parts of an upload go
control.py     the human's part              account.py      all kinds together
"""

from typing import TYPE_CHECKING

from rehearsal.cloud.appstore.account import account
from rehearsal.cloud.appstore.api import AppStoreApi
from rehearsal.cloud.appstore.storage import Storage
from rehearsal.cloud.service import Service

if TYPE_CHECKING:
    from rehearsal.cloud.world import World


def appstore_services(world: "World") -> list[Service]:
    """The services that make up App Store Connect: the API, and the storage that takes the parts of an upload."""
    return [AppStoreApi(world, account(world)), Storage(world)]
