"""Batches: an operator whose function is given many packets at once, as a list. A room of its own on the kernel."""
