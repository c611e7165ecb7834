"""The backend on Fly.io: app, database, image, machine, and the proof that it is healthy."""
