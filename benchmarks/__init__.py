"""Figures of the runtime, measured beside hand-written threads and queues: `python -m benchmarks`."""
