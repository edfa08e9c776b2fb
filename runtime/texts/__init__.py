"""Bounded texts for any value and any error."""
