"""Extensions written from outside, as a user would: another platform, another queue. `runtime` needs neither."""
