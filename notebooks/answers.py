"""A server that answers questions about a text, as one far away would: after a while, not always, and not too often.

    GET /answer?question=how often does 'love' occur?     {"word": "love", "times": 4}

* An answer takes 5 to 60 ms, the same for the same question.
* One question in twenty fails when it is asked for the first time: 500.
* More than 200 questions within a second are refused: 429, and when to come again.
* A question in which quotes do not pair up is refused, however often it is asked: 400.

`python answers.py TEXT` prints the port at which it listens, on loopback, until its standard input is closed.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections import Counter, deque
from pathlib import Path
from time import monotonic
from zlib import crc32

from aiohttp import web

LIMIT = 200
QUOTED = re.compile(r"""[^"']*(?:'([^"']+)'|"([^"]+)")[^"']*""")


class Answers:
    """What is known of the text, and how it is told."""

    def __init__(self, text: str) -> None:
        self.words = Counter(re.findall(r"[a-z']+", text.lower()))
        self.asked: set[str] = set()
        self.recent: deque[float] = deque()  # when the questions of the last second came
        self.refused = 0

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one question."""
        now_s = monotonic()
        while self.recent and self.recent[0] <= now_s - 1:
            self.recent.popleft()
        if len(self.recent) >= LIMIT:
            self.refused += 1
            return web.Response(status=429, headers={"Retry-After": f"{self.recent[0] + 1 - now_s:.3f}"})
        self.recent.append(now_s)
        question = request.query.get("question", "")
        number = crc32(question.encode())
        await asyncio.sleep(0.005 + number % 56 / 1000)
        found = QUOTED.fullmatch(question)
        if found is None:
            return web.Response(status=400, text="the quotes do not pair up")
        if number % 20 == 0 and question not in self.asked:
            self.asked.add(question)
            return web.Response(status=500, text="try again")
        word = (found[1] or found[2]).lower()
        return web.json_response({"word": word, "times": self.words[word]})

    async def facts(self, _request: web.Request) -> web.Response:
        """How many questions were refused because there were too many."""
        return web.json_response({"refused": self.refused})


async def main(text: Path) -> None:
    """Serve until nobody needs it any more."""
    answers = Answers(text.read_text("utf-8"))
    app = web.Application()
    app.router.add_get("/answer", answers.answer)
    app.router.add_get("/facts", answers.facts)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
