"""The user's model: found, imported, and run."""
