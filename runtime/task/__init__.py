"""Tasks: the kernel, its feeds and gate, and where it runs."""
