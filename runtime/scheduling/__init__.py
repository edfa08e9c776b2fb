"""When the tasks and services of a job run, wait and stand still. Knows no tasks, no queues and no packets."""
