"""What reads an IPA: its contents, its executable and profile, version numbers, and what Apple would refuse about it."""
