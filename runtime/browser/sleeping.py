"""What else of the standard library waits, or keeps something for each thread: as it is in a tab.

*`time.sleep`* of Pyodide puts its stack away by itself, and does not tell who runs meanwhile; this one does.

*`threading.local` and `RLock` in C* know one thread in a tab: locals of all threads would be the same ones, and a taken
RLock would be free to all. Python has each of them in Python too.
"""

from __future__ import annotations

from runtime.browser.stacks import breathe, new_wait, park


def sleep(seconds: float) -> None:
    """Wait for `seconds`; all others go on."""
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    if seconds == 0:
        breathe()
    else:
        park(new_wait(), seconds)
