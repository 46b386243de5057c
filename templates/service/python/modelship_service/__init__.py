"""The HTTP service that serves a model: what runs inside a modelship image."""
