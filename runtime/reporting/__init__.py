"""A session as others see it: text, HTML, metrics, progress bars."""
