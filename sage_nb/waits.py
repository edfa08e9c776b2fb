"""How a cell waits and still hears the pages of our views, so that a click is handled while the cell keeps the kernel.

A kernel takes one message after the other, and messages of a page wait until the cell has ended. So while a cell waits
in one of our commands, messages to our widgets are taken out of turn; their handlers only queue a command. All others
are kept, in order, and handed on when the wait is over. A front end with a subshell of its own needs none of this.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from _thread import LockType
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from runtime.python.interactive import acquire_interruptibly
from sage_nb.comms import is_ours

_SHORT_S: Final = 0.05  # most commands are over by then
_LISTEN_S: Final = 0.05  # a socket of a kernel and a lock cannot be waited for together


class CellWaiter:
    """What listens while the kernel's main thread waits. Used by that thread alone."""

    def __init__(self, kernel: Any) -> None:
        self._kernel = kernel
        self._stream: Any = None  # the one that is listened to, while there is a wait
        self._usual: Any = None  # its handler otherwise
        self._kept: list[Any] = []  # messages that came during the wait and are not ours
        self._depth = 0

    def acquire(self, bell: LockType) -> None:
        """Acquire it, and listen meanwhile, if that takes long. An interrupt ends both."""
        if threading.current_thread() is not threading.main_thread():
            acquire_interruptibly(bell)
        elif not bell.acquire(True, _SHORT_S):
            with self.listen():
                self._look()
                while not bell.acquire(True, _LISTEN_S):
                    self._look()

    @contextmanager
    def listen(self) -> Iterator[None]:
        """Take what comes for our widgets out of turn."""
        self._depth += 1
        try:
            self._begin()
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self.let_go()

    def let_go(self) -> None:
        """Listen no more. Called after each cell as well: an interrupt may have come at any bytecode."""
        if self._stream is None or self._depth:
            return
        stream, self._stream = self._stream, None
        stream.on_recv(self._usual, copy=False)
        stream.io_loop.add_callback(self._hand_on)

    def _begin(self) -> None:
        if self._stream is None and threading.current_thread() is threading.main_thread():
            stream = _shell_stream(self._kernel)
            if stream is not None:
                self._usual, self._stream = stream._recv_callback, stream
                stream.on_recv(self._hear, copy=False)

    def _look(self) -> None:
        if self._stream is not None:
            self._stream.flush(1)  # zmq.POLLIN

    def _hear(self, frames: Any) -> None:
        session = self._kernel.session
        identities, rest = session.feed_identities(frames, copy=False)
        header = session.deserialize(rest, content=False, copy=False)
        comm = None
        if header["header"]["msg_type"] == "comm_msg":
            comm = self._kernel.comm_manager.comms.get(session.unpack(header["content"]).get("comm_id"))
        if comm is None or not is_ours(comm):
            self._kept.append(frames)
            return
        message = session.deserialize(rest, content=True, copy=False)
        self._kernel._publish_status("busy", "shell", parent=message)
        self._kernel.comm_manager.comm_msg(None, identities, message)
        self._kernel._publish_status("idle", "shell", parent=message)

    def _hand_on(self) -> None:
        """On the kernel's loop: what was kept, in order, before what comes from now on."""
        kept, self._kept = self._kept, []
        for frames in kept:
            handled = self._usual(frames)
            if inspect.isawaitable(handled):
                asyncio.ensure_future(handled)  # noqa: RUF006  as the stream itself does


def _shell_stream(kernel: Any) -> Any:
    """Where the main thread of the kernel gets its messages from; None if that is not known."""
    thread = getattr(kernel, "shell_channel_thread", None)
    if thread is None:
        return kernel.shell_stream
    pair = getattr(thread.manager, "_shell_channel_to_main", None)  # there is no other way to it
    return getattr(pair, "to_stream", None)
