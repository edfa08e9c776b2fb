"""A job whose tasks and services run in other processes, as its driver has it. Knows no platform."""
