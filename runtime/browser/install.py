"""Puts the layer in place, once, before any other module of the runtime has taken a lock from where it replaces them.

So nothing of this folder imports another module of the runtime before that: the errors that it raises are imported
where they are raised.

It uses private names of `threading`, `_thread` and `asyncio`, and a call of Pyodide that is said to be experimental: so
the documentation pins Pyodide, and the tests run in the pinned one.
"""

from __future__ import annotations

import _thread
import _threading_local
import gc
import queue
import selectors
import threading
import time
from types import ModuleType
from typing import Any, Final

import pyodide.ffi
import pyodide.webloop
from pyodide.code import run_js

from runtime.browser import collector

CAN_SWITCH: Final = "typeof WebAssembly.Suspending === 'function'"
TOO_OLD: Final = (
    "this browser cannot put a call of Python aside, so no thread can run in it (it lacks JavaScript promise "
    "integration). Chrome and Edge from 137 on have it, Firefox from 152 on, Safari not yet, Node from 24 on"
)


def install() -> None:
    """Let `threading` start threads in this tab. Idempotent. Raises NotInBrowser where no stack can be put aside."""
    if not run_js(CAN_SWITCH):
        from runtime.errors import NotInBrowser  # noqa: PLC0415

        raise NotInBrowser(TOO_OLD)
    for module, names in _replaced().items():
        for name, value in names.items():
            setattr(module, name, value)
    collector.take_over()


def _replaced() -> dict[ModuleType | type, dict[str, Any]]:
    """What has which names from now on. The layer is imported here: without promise integration it cannot be."""
    from runtime.browser.locks import Lock, RLock  # noqa: PLC0415
    from runtime.browser.loops import POLICY, WebLoopPolicy  # noqa: PLC0415
    from runtime.browser.queues import SimpleQueue  # noqa: PLC0415
    from runtime.browser.selector import LOOP, BaseSelectorEventLoop, ParkedSelector  # noqa: PLC0415
    from runtime.browser.sleeping import sleep  # noqa: PLC0415
    from runtime.browser.stacks import run_sync_here  # noqa: PLC0415
    from runtime.browser.threads import (  # noqa: PLC0415
        OF_DUMMIES,
        Handle,
        get_ident,
        locals_here,
        start_joinable_thread,
        start_new_thread,
    )

    threads: dict[str, Any] = {
        "get_ident": get_ident,
        "_ThreadHandle": Handle,
        "RLock": RLock,
    }
    return {
        _thread: {
            **threads,
            **dict.fromkeys(("allocate_lock", "allocate", "lock", "LockType"), Lock),
            "start_joinable_thread": start_joinable_thread,
            "start_new_thread": start_new_thread,
            "start_new": start_new_thread,
            "_local": _threading_local.local,
        },
        threading: {
            **threads,
            "_CRLock": None,
            "_RLock": RLock,
            "_PyRLock": RLock,
            "Lock": Lock,
            "_allocate_lock": Lock,
            "_start_joinable_thread": start_joinable_thread,
            "local": _threading_local.local,
            "_thread_local_info": OF_DUMMIES,
        },
        _threading_local: {"RLock": RLock, "current_thread": locals_here},
        queue: {"SimpleQueue": SimpleQueue},
        time: {"sleep": sleep, "pthread_getcpuclockid": None},  # it is there, and raises for every thread
        selectors: {"DefaultSelector": ParkedSelector},
        gc: collector.COLLECTOR,
        BaseSelectorEventLoop: LOOP,
        WebLoopPolicy: POLICY,
        pyodide.ffi: {"run_sync": run_sync_here},
        pyodide.webloop: {"run_sync": run_sync_here},
    }
