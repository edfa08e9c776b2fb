"""A task whose function waits: many calls of it under way at once, on the task's own thread."""
