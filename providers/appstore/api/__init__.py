"""What talks to App Store Connect's API: the client, its tokens and errors, uploads, and the team's users."""
