"""What a model takes and gives, read once from its annotations."""
