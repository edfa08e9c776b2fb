"""python -m tests.site.bidi PROGRAM …: Firefox, as Playwright starts it and speaks to it, by WebDriver BiDi.

Playwright is ahead of Firefox ESR: it asks for what the standard has got since then, and gives up when it hears that
this is unknown. So this stands between the two and hands on what they say, word for word, but for one answer: that to
`MEDIA`, where it sets nothing. A test that wants a dark page of Firefox has it by Firefox's own preferences.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from typing import Final

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web

MEDIA: Final = "emulation.setMediaFeaturesOverride"
SAYS: Final = re.compile(r"WebDriver BiDi listening on (ws://\S+)")


async def hand_on(playwright: web.WebSocketResponse, firefox: ClientWebSocketResponse) -> None:
    """All that both say, until one of them goes."""
    empty: set[int] = set()  # commands that set nothing, whose answer is not here yet

    async def commands() -> None:
        async for message in playwright:
            if message.type is WSMsgType.TEXT:
                command = json.loads(message.data)
                if command["method"] == MEDIA and not any(command["params"]["features"].values()):
                    empty.add(command["id"])
                await firefox.send_str(message.data)
        await firefox.close()

    async def answers() -> None:
        async for message in firefox:
            if message.type is WSMsgType.TEXT:
                said = message.data
                answer = json.loads(said)
                if answer.get("id") in empty:
                    empty.discard(answer["id"])
                    if answer.get("error") == "unknown command":
                        said = json.dumps({"type": "success", "id": answer["id"], "result": {}})
                await playwright.send_str(said)
        await playwright.close()

    await asyncio.gather(commands(), answers())


async def stand_between(program: str, *arguments: str) -> int:
    """Start Firefox, say where it can be spoken to, and return with what it has ended."""
    firefox = await asyncio.create_subprocess_exec(program, *arguments, stderr=asyncio.subprocess.PIPE)
    assert firefox.stderr is not None
    address = None
    while address is None:
        line = (await firefox.stderr.readline()).decode(errors="replace")
        if not line:
            return await firefox.wait()
        address = SAYS.search(line)
    where = address[1]

    async def spoken_to(request: web.Request) -> web.WebSocketResponse:
        playwright = web.WebSocketResponse(max_msg_size=0)
        await playwright.prepare(request)
        async with ClientSession() as client, client.ws_connect(where + request.path, max_msg_size=0) as other:
            await hand_on(playwright, other)
        return playwright

    application = web.Application()
    application.router.add_get("/{session:.*}", spoken_to)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    sys.stderr.write(f"WebDriver BiDi listening on ws://127.0.0.1:{port}\n")
    while line := (await firefox.stderr.readline()).decode(errors="replace"):
        sys.stderr.write(line)
    ended = await firefox.wait()
    await runner.cleanup()
    return ended


if __name__ == "__main__":
    sys.exit(asyncio.run(stand_between(*sys.argv[1:])))
