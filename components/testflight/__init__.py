"""The iOS build: bundle ID, signing, upload, and the testers who get it."""
