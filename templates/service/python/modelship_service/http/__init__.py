"""The HTTP server and the one layer around the handlers."""
