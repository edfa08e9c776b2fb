"""Writing a graph down: the environment, its streams, and what they collect."""
