"""Chains: consecutive quick tasks that one thread works, packet by packet, while nobody holds them."""
