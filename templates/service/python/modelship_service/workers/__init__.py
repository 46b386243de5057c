"""Where the model runs: a thread, or processes."""
