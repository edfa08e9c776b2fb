"""Calls of a function that waits: a frame says how many are open, and a look into the queue which they are."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import runtime
from runtime.testing import PATIENCE_S
from tests.view.conftest import ShowPage


def test_a_frame_counts_open_calls_and_a_look_names_them_the_oldest_first(show: ShowPage) -> None:
    released = threading.Event()

    async def ask(prompt: int) -> int:
        while not released.is_set():
            await asyncio.sleep(0.005)
        return prompt

    with runtime.Session("asked") as session:
        prompts = session.source(range(5), name="prompts").map(ask, name="ask", concurrency=3)
        prompts.map(abs, name="plain").collect(name="result")
        page = show(session)
        page.order("run")
        try:
            frame: Any = page.wait_for_frame(lambda frame: frame["open"].get("1") == 3)
            assert frame["open"] == {"1": 3}
            rows = page.view.plan["rows"]
            assert [row.get("calls", 0) for row in rows] == [0, 3, 0, 0]
            assert page.order("peek", task="ask")["result"]["open"] == ["0", "1", "2"]
            heights = [box["height"] for box in page.view.plan["boxes"]]
            assert heights[1] > heights[2]
        finally:
            released.set()
        session.wait(timeout=PATIENCE_S)
        page.wait_for_frame(lambda frame: frame["state"] == "completed" and frame["open"] == {})


def test_calls_of_batches_are_counted_as_such_and_a_look_names_their_packets(show: ShowPage) -> None:
    released = threading.Event()

    async def ask(prompts: list[int]) -> list[int]:
        while not released.is_set():
            await asyncio.sleep(0.005)
        return prompts

    with runtime.Session("asked") as session:
        prompts = session.source(range(5), name="prompts")
        prompts.map_batches(ask, size=2, within=3600, name="ask", concurrency=2).collect(name="result")
        page = show(session)
        page.order("run")
        try:
            page.wait_for_frame(lambda frame: frame["open"].get("1") == 2)
            assert [row.get("calls", 0) for row in page.view.plan["rows"]] == [0, 2, 0]
            assert page.order("peek", task="ask")["result"]["open"] == ["0", "1", "2", "3"]
        finally:
            released.set()
        session.wait(timeout=PATIENCE_S)
        page.wait_for_frame(lambda frame: frame["state"] == "completed" and frame["open"] == {})
