"""Rows of many requests in one call of the model."""
