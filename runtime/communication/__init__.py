"""How packets get from task to task: lanes, queues and their descriptors, connections, routing."""
