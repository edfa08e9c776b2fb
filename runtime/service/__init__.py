"""Services: their life, the calls to them, and where they run."""
