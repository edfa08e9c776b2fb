"""The bugs that tests/mutants.py plants, room by room; those of tests/mutants.py itself came first."""
