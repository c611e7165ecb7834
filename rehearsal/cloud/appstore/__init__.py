"""The double of App Store Connect.

kinds.py       base of all resource types    apps.py, bundle_ids.py, beta_groups.py, beta_testers.py, builds.py,
api.py         JSON:API over the types       build_uploads.py, certificates.py, profiles.py, people.py: the types
auth.py        keys, roles, rate limit       processing.py   processing of an uploaded IPA
refusals.py    Apple's errors                metrics.py      usage of builds
authority.py   signs certificates, profiles  storage.py      receives the parts of an upload
control.py     actions of people             account.py      all types together
"""
