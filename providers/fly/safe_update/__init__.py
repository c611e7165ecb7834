"""A safe update of a running machine: compare configs, update, verify, roll back."""
