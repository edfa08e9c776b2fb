"""An aiohttp server on loopback that answers a number by itself, after a latency from one seeded list.

`python -m benchmarks.latent_server` prints its port, and serves until its standard input is closed. It needs aiohttp
(`pip install "sage-nb[lab]"`).
"""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module
from random import Random
from typing import Any, Final

LATENCIES_S: Final = [Random(18).uniform(0.002, 0.02) for _ in range(2_000)]


async def _serve() -> None:
    web: Any = import_module("aiohttp.web")

    async def answer(request: Any) -> Any:
        number = int(request.match_info["number"])
        await asyncio.sleep(LATENCIES_S[number % len(LATENCIES_S)])
        return web.Response(text=str(number))

    app = web.Application()
    app.router.add_get("/{number}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_serve())
