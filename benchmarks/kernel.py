"""A kernel as a notebook has one, without a page: runs code in it, and keeps what it sends to widgets."""

from __future__ import annotations

import ast
import json
import os
from pathlib import Path
from queue import Empty
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Final

from jupyter_client.manager import KernelManager

from benchmarks.harness import WrongResult

PATIENCE_S: Final = 60.0
_QUIET: Final = ["--IPKernelApp.log_level=ERROR"]
_ROOT: Final = Path(__file__).parents[1]


class Kernel:
    """A kernel of this Python, in the folder of this repository, so that code in it can import `benchmarks`."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, dict[str, Any]]] = []
        """The widgets that were opened: the id of each one's comm, and its state."""
        self.states: list[tuple[str, dict[str, Any]]] = []
        """What was sent to widgets since: comm, and the traits that it sets."""

    def __enter__(self) -> Kernel:
        self._home = TemporaryDirectory()
        self._manager = KernelManager(kernel_name="python3")
        self._manager.start_kernel(
            cwd=str(_ROOT), env=os.environ | {"IPYTHONDIR": self._home.name}, extra_arguments=_QUIET
        )
        self._client: Any = self._manager.blocking_client()  # it has few types
        self._client.start_channels()
        self._client.wait_for_ready(timeout=PATIENCE_S)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._home.cleanup()

    def run(self, code: str) -> None:
        """Run a cell; returns when the kernel is idle again, and all it has sent until then is here."""
        self._answer(self._client.execute(code))

    def ask(self, expression: str) -> Any:
        """The value of an expression, by JSON."""
        wanted = {"it": f"__import__('json').dumps({expression})"}
        reply = self._answer(self._client.execute("", user_expressions=wanted))
        found = reply["user_expressions"]["it"]
        if found["status"] != "ok":
            raise WrongResult(f"{expression}: {found['ename']}: {found['evalue']}")
        return json.loads(ast.literal_eval(found["data"]["text/plain"]))

    def tell(self, comm: str, cmd: str, **args: Any) -> None:
        """Send a widget the message that a page would send it."""
        content = {"cmd": cmd, "args": args, "id": f"{cmd}-1"}
        body = {"comm_id": comm, "data": {"method": "custom", "content": content}}
        self._client.shell_channel.send(self._client.session.msg("comm_msg", body))

    def _answer(self, number: str) -> dict[str, Any]:
        reply: dict[str, Any] = self._client.get_shell_msg(timeout=PATIENCE_S)
        while reply["parent_header"].get("msg_id") != number:
            reply = self._client.get_shell_msg(timeout=PATIENCE_S)
        while not self._hear(number):
            pass
        content: dict[str, Any] = reply["content"]
        if content["status"] != "ok":
            raise WrongResult("\n".join(content.get("traceback", [content["status"]])))
        return content

    def _hear(self, number: str) -> bool:
        """Keep the next message; whether it says that the kernel is idle after request `number`."""
        try:
            message = self._client.get_iopub_msg(timeout=PATIENCE_S)
        except Empty:
            raise WrongResult(f"the kernel has said nothing for {PATIENCE_S:g} s") from None
        kind, content = message["msg_type"], message["content"]
        if kind == "comm_open":
            self.opened.append((content["comm_id"], content["data"]["state"]))
        elif kind == "comm_msg" and content["data"].get("method") == "update":
            self.states.append((content["comm_id"], content["data"]["state"]))
        idle = kind == "status" and content["execution_state"] == "idle"
        return bool(idle and message["parent_header"].get("msg_id") == number)
