"""These tests run inside of Python in WebAssembly alone: `python -m tests.in_node`."""

from __future__ import annotations

collect_ignore_glob = ["*"]
