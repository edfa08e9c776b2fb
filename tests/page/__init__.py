"""The page of the live view in bare Chromium, with a stand-in for the kernel: no Jupyter, no session."""
