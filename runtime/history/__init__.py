"""What has happened in a run, and what was skipped."""
