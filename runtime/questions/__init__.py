"""Questions: a graph that answers. What is asked at an input, and what comes to a `reply()` of it."""
