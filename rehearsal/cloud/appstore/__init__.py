"""The double of App Store Connect.

kinds.py       what a resource is            apps.py, bundle_ids.py, beta_groups.py, beta_testers.py, builds.py,
api.py         JSON:API over the kinds       build_uploads.py, certificates.py, profiles.py, people.py: the kinds
auth.py        keys, roles, budget           processing.py   what Apple does with an IPA
refusals.py    Apple's errors                metrics.py      usage of builds
authority.py   signs certificates, profiles  storage.py      where the parts of an upload go
control.py     the human's part              account.py      all kinds together
"""
