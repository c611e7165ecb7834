"""What talks to App Store Connect's API: the client, its tokens and errors, uploads, and the team's users."""

from providers import lazy

__getattr__ = lazy.submodules(__name__)
