"""CommandQueue: takes the commands that pages send, and carries them out one after the other on a thread of its own.

A handler on the kernel's thread only queues a message here. It depends on the kernel's version whether a click is
handled while a cell runs; what it does then, and on which thread, does not. The thread exists only while there is
something to do. What may take long, a call of a service, a question or a payload's own repr, gets a thread of its own.
So does what must not wait for others: an edit waits until its task reaches its gate, and a cancel should not wait with
it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from runtime.errors import error_text
from sage_nb.comms import send_without_parent
from sage_nb.forms import CallRefused
from sage_nb.texts import shown
from sage_nb.wire import Ack, FieldErrors

ASIDE: Final = frozenset({"call", "ask", "profile", "full", "cancel", "stop"})
"""The commands that are carried out beside all others."""

JOIN_S: Final = 2.0

Send = Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a command: the line of Python that does the same, a text for a person, a record for the page."""

    python: str = ""
    text: str = ""
    result: Any = None


class CommandQueue:
    """The commands of one session's pages, carried out in the order in which they came. Any thread may put."""

    def __init__(self, execute: Callable[[str, Mapping[str, Any]], Done], after: Callable[[], None]) -> None:
        self._execute, self._after = execute, after  # `after` is called after each command: facts may have changed
        self._lock = threading.Lock()  # guards all below; the thread ends only with nothing left to do
        self._messages: deque[tuple[Mapping[str, Any], Send]] = deque()
        self._thread: threading.Thread | None = None

    def put(self, message: Mapping[str, Any], send: Send) -> None:
        """Have a command carried out; `send` gets the answer."""
        if message.get("cmd") in ASIDE:
            threading.Thread(target=self._carry_out, args=(message, send), name="sage-nb call", daemon=True).start()
            return
        with self._lock:
            self._messages.append((message, send))
            if self._thread is None:
                self._begin()

    def close(self) -> None:
        """Forget what has not begun, and wait for what has, unless it is this thread that asks."""
        with self._lock:
            self._messages.clear()
        self.wait()

    def wait(self) -> None:
        """Wait for all that was put down, unless it is this thread that asks; not for what is carried out aside."""
        with self._lock:
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(JOIN_S)

    def _begin(self) -> None:
        """Under the lock."""
        self._thread = threading.Thread(target=self._work, name="sage-nb commands", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            while True:
                with self._lock:
                    if not self._messages:
                        self._thread = None
                        return
                    message, send = self._messages.popleft()
                self._carry_out(message, send)
        except BaseException:  # an answer that could not be sent: that is told, and the others do not wait for it
            with self._lock:
                self._begin()
            raise

    def _carry_out(self, message: Mapping[str, Any], send: Send) -> None:
        send_without_parent()
        ack = Ack(ack=str(message.get("id")), ok=True, reason="", python="", text="")
        try:
            done = self._execute(str(message.get("cmd")), message.get("args") or {})
        except BaseException as error:  # noqa: BLE001  the border to the page, which gets every error as words
            ack["ok"], ack["reason"] = False, shown(error_text(error))
            if isinstance(error, CallRefused):
                ack["result"] = FieldErrors(
                    fields={shown(name): shown(reason) for name, reason in error.fields.items()}
                )
        else:
            ack["python"], ack["text"], ack["result"] = shown(done.python), shown(done.text), done.result
        send(ack)
        self._after()
