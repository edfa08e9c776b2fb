"""Bugs in what tasks remember, and in how it is copied and restored."""

from __future__ import annotations

from typing import Final

from tests.planted.records import Mutant, one

STATE = "test_state.py"
ROUTER, MEMORY, STORE = "communication/router.py", "operators/memory.py", "state/store.py"
TAKE, JOIN, SOURCE = "operators/stateful.py", "operators/joined.py", "operators/source.py"

MEMORY_BUGS: Final[tuple[Mutant, ...]] = (
    one("memory: turns are not given back", ROUTER, "                next(turns)\n", "                pass\n", STATE),
    one("memory: turns count once only", ROUTER, "self._turned[number] += skipped", "pass", STATE),
    one(
        "memory: a copy shares what it copies",
        MEMORY,
        "return key, deepcopy(dict(mapping))",
        "return key, dict(mapping)",
        STATE,
    ),
    one(
        "memory: what is restored is shared",
        MEMORY,
        "in deepcopy(before).items()",
        "in before.items()",
        STATE,
    ),
    one("memory: a key that was not there stays", MEMORY, "mapping.pop(copied_key, None)", "pass", STATE),
    one("memory: other keys stay", MEMORY, "        mapping.clear()\n", "        pass\n", STATE),
    one("memory: a function loses its state", STORE, "into=_same_mapping", "into=lambda own, value: value", STATE),
    one("memory: a take counts on", TAKE, "self.missing = copied", "pass", STATE),
    one("memory: rows of a join that are gone", JOIN, "if ended != self._ended:", "if False:", STATE),
    one("memory: a source stays where it is", SOURCE, "islice(self._items(), copied, None)", "self.iterator", STATE),
    one(
        "memory: a source that gives each item once",
        SOURCE,
        "if not is_indexed(function) and type(function) not in DIVIDED:",
        "if False:",
        STATE,
    ),
)
