"""What talks to Fly's APIs: one module per kind of object, named as Fly names it."""
