"""Origins: where a packet of a traced job comes from, and what each operator made of it on the way."""
