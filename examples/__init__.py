"""Extensions written from outside, as a user would: another platform for tasks, another queue. `runtime` needs neither."""
