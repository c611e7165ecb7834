"""The account of the team: the records of every implemented type."""

from rehearsal.cloud.appstore.apps import Apps
from rehearsal.cloud.appstore.beta_app_localizations import BetaAppLocalizations
from rehearsal.cloud.appstore.beta_groups import BetaGroups
from rehearsal.cloud.appstore.beta_testers import BetaTesterInvitations, BetaTesters
from rehearsal.cloud.appstore.build_uploads import BuildUploadFiles, BuildUploads
from rehearsal.cloud.appstore.builds import (
    BetaBuildLocalizations,
    BuildBetaDetails,
    BuildBetaNotifications,
    Builds,
    PreReleaseVersions,
)
from rehearsal.cloud.appstore.bundle_ids import BundleIdCapabilities, BundleIds
from rehearsal.cloud.appstore.certificates import Certificates
from rehearsal.cloud.appstore.feedback import BetaFeedbackCrashSubmissions, BetaFeedbackScreenshotSubmissions
from rehearsal.cloud.appstore.kinds import Records
from rehearsal.cloud.appstore.people import UserInvitations, Users
from rehearsal.cloud.appstore.profiles import Devices, Profiles
from rehearsal.cloud.context import Context

KINDS = (
    Apps,
    BetaAppLocalizations,
    BetaBuildLocalizations,
    BetaFeedbackCrashSubmissions,
    BetaFeedbackScreenshotSubmissions,
    BetaGroups,
    BetaTesterInvitations,
    BetaTesters,
    BuildBetaDetails,
    BuildBetaNotifications,
    BuildUploadFiles,
    BuildUploads,
    Builds,
    BundleIdCapabilities,
    BundleIds,
    Certificates,
    Devices,
    PreReleaseVersions,
    Profiles,
    UserInvitations,
    Users,
)


def account(context: Context) -> Records:
    """The records of every kind, in the store of `context`."""
    return Records(context, KINDS)
