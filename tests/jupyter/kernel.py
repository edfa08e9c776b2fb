"""A real kernel without a page: what a front end does, one message at a time, with or without a subshell of its own.

The kernel's own packages can be others than those of this process: `SAGE_NB_KERNEL_PATH` names folders that it looks
into first, with another ipykernel, say.
"""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, Final

import zmq
from jupyter_client.connect import write_connection_file
from jupyter_client.session import Session

PATIENCE_S: Final = 30.0


class Kernel:
    """A kernel, and all that it has published."""

    def __init__(self, process: subprocess.Popen[bytes], connection: dict[str, Any]) -> None:
        self._process = process
        self._session = Session(key=connection["key"].encode())
        self._context = zmq.Context()
        self._sockets: list[Any] = []
        address = f"tcp://{connection['ip']}"
        self._shell = self._connect(zmq.DEALER, f"{address}:{connection['shell_port']}")
        self._at_control = self._connect(zmq.DEALER, f"{address}:{connection['control_port']}")
        self._iopub = self._connect(zmq.SUB, f"{address}:{connection['iopub_port']}")
        self._iopub.subscribe(b"")
        self._news = threading.Condition()  # guards the list below
        self.published: list[Any] = []
        self._ended = False
        self._reader = threading.Thread(target=self._read, name="iopub of a test", daemon=True)
        self._reader.start()
        self._number = 0

    def _connect(self, kind: int, address: str) -> Any:
        socket = self._context.socket(kind)
        socket.linger = 0
        socket.connect(address)
        self._sockets.append(socket)
        return socket

    def _read(self) -> None:
        while not self._ended:
            if self._iopub.poll(100):
                message = self._received(self._iopub)
                with self._news:
                    self.published.append(message)
                    self._news.notify_all()

    def _received(self, socket: Any, timeout_s: float = PATIENCE_S) -> Any:
        assert socket.poll(timeout_s * 1_000), "no reply"
        _, message = self._session.recv(socket, mode=0)
        return message

    def wait_until_ready(self) -> None:
        """Until what it publishes comes here, and it has answered."""
        deadline_s = monotonic() + PATIENCE_S
        while monotonic() < deadline_s:
            assert self._process.poll() is None, "the kernel has ended"
            cell = self.begin("", silent=True)
            if self._shell.poll(1_000) and self._seen(partial(_is_idle, cell=cell), 1.0):
                while self._shell.poll(0):
                    self._received(self._shell)
                return
        raise TimeoutError("the kernel does not answer")

    def _seen(self, wanted: Callable[[Any], object], timeout_s: float) -> bool:
        with self._news:
            return self._news.wait_for(lambda: any(map(wanted, self.published)), timeout_s)

    def wait_for(self, wanted: Callable[[Any], object], timeout_s: float = PATIENCE_S) -> Any:
        """The first message that is as wanted, among those that came and those that will."""
        with self._news:
            assert self._news.wait_for(lambda: any(map(wanted, self.published)), timeout_s), self._tail()
            return next(filter(wanted, self.published))

    def _tail(self) -> list[Any]:
        shown = [each for each in self.published if "beat" not in str(each["content"])]
        return [(each["msg_type"], str(each["content"])[:200]) for each in shown[-12:]]

    def begin(self, code: str, *, subshell: str | None = None, **settings: Any) -> str:
        """Run a cell, and do not wait; its id."""
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        return self._send("execute_request", content | settings, subshell)

    def end(self, cell: str) -> None:
        """Wait for the end of a cell, which must not have raised."""
        self.wait_for(lambda each: _is_idle(each, cell))
        with self._news:
            errors = [each["content"] for each in self.published if _is_of(each, cell) and each["msg_type"] == "error"]
        assert not errors, "\n".join(errors[0]["traceback"])

    def run(self, code: str) -> str:
        """Run a cell; its id."""
        cell = self.begin(code)
        self.end(cell)
        return cell

    def ask(self, expression: str) -> Any:
        """The value of an expression, which must be a literal."""
        cell = self.begin("", user_expressions={"asked": expression}, store_history=False, silent=True)
        while True:
            reply = self._received(self._shell)
            if _is_of(reply, cell):
                found = reply["content"]["user_expressions"]["asked"]
                assert found["status"] == "ok", found
                return ast.literal_eval(found["data"]["text/plain"])

    def printed(self, cell: str) -> str:
        """What has been printed into a cell so far: on stdout, then on stderr."""
        with self._news:
            return "".join(self._printed(cell))

    def sees(self, cell: str, text: str) -> None:
        """Wait until it has been printed into a cell."""
        self.wait_for(lambda each: any(text in printed for printed in self._printed(cell)))

    def _printed(self, cell: str) -> tuple[str, str]:
        """By stream. Under the lock."""
        texts = {"stdout": "", "stderr": ""}
        for each in self.published:
            if each["msg_type"] == "stream" and _is_of(each, cell):
                texts[each["content"]["name"]] += each["content"]["text"]
        return texts["stdout"], texts["stderr"]

    # ── what a page does ──

    def tell(self, comm: str, cmd: str, *, subshell: str | None = None, **args: Any) -> str:
        """Send a view a message; its id."""
        self._number += 1
        message = {"cmd": cmd, "args": args, "id": f"test-{self._number}"}
        data = {"method": "custom", "content": message}
        self._send("comm_msg", {"comm_id": comm, "data": data}, subshell)
        return str(message["id"])

    def set_trait(self, comm: str, name: str, value: Any, *, subshell: str | None = None) -> None:
        """Set what a widget shows, as somebody who types does."""
        data = {"method": "update", "state": {name: value}, "buffer_paths": []}
        self._send("comm_msg", {"comm_id": comm, "data": data}, subshell)

    def click(self, comm: str, *, subshell: str | None = None) -> None:
        """Click a button out of ipywidgets."""
        data = {"method": "custom", "content": {"event": "click"}}
        self._send("comm_msg", {"comm_id": comm, "data": data}, subshell)

    def answer(self, number: str, timeout_s: float = PATIENCE_S) -> Any:
        """The answer to a message."""
        return self.wait_for(lambda each: _custom(each).get("ack") == number, timeout_s)["content"]["data"]["content"]

    def order(self, comm: str, cmd: str, *, timeout_s: float = PATIENCE_S, **args: Any) -> Any:
        """Send a view a command, which must be carried out."""
        ack = self.answer(self.tell(comm, cmd, **args), timeout_s)
        assert ack["ok"], ack
        return ack

    def subshell(self) -> str:
        """Make a subshell, as JupyterLab does for widgets; its id."""
        return str(self._control("create_subshell_request", {})["subshell_id"])

    def delete_subshell(self, subshell: str) -> None:
        """And end it."""
        self._control("delete_subshell_request", {"subshell_id": subshell})

    def interrupt(self) -> None:
        """As the button of the notebook does."""
        self._process.send_signal(signal.SIGINT)

    # ── inside ──

    def _control(self, kind: str, content: dict[str, Any]) -> Any:
        self._session.send(self._at_control, kind, content)
        reply = self._received(self._at_control)
        assert reply["content"]["status"] == "ok", reply
        return reply["content"]

    def _send(self, kind: str, content: dict[str, Any], subshell: str | None) -> str:
        message = self._session.msg(kind, content)
        if subshell is not None:
            message["header"]["subshell_id"] = subshell
        self._session.send(self._shell, message)
        return str(message["header"]["msg_id"])

    def close(self) -> None:
        """Look no more."""
        self._ended = True
        self._reader.join()
        for socket in self._sockets:
            socket.close()
        self._context.term()


@contextmanager
def kernel(folder: Path) -> Iterator[Kernel]:
    """A kernel of this environment, ended at the end; what it keeps is in `folder`."""
    file, connection = write_connection_file(str(folder / "kernel.json"), kernel_name="python3")
    paths = [path for path in (os.environ.get("SAGE_NB_KERNEL_PATH"), os.environ.get("PYTHONPATH")) if path]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "IPYTHONDIR": str(folder / "ipython")}
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", file]
    with (folder / "kernel.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        found = Kernel(process, dict(connection))
        try:
            found.wait_until_ready()
            yield found
        finally:
            found.close()
    finally:
        process.kill()
        process.wait()


def _is_of(message: Any, cell: str) -> bool:
    return bool(message["parent_header"].get("msg_id") == cell)


def _is_idle(message: Any, cell: str) -> bool:
    return message["msg_type"] == "status" and message["content"]["execution_state"] == "idle" and _is_of(message, cell)


def _custom(message: Any) -> dict[str, Any]:
    if message["msg_type"] != "comm_msg":
        return {}
    content = message["content"]["data"].get("content")
    return content if isinstance(content, dict) else {}
