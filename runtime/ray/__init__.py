"""Ray: what alone of the runtime imports it: how values and calls travel by it, its actors, its cluster."""
