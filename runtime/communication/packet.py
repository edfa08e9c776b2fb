"""One packet as a person sees it. Edges carry bare payloads at full speed; a Packet is made when somebody looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runtime.preview import preview


@dataclass(frozen=True, slots=True)
class Packet:
    """A payload on its way: its key on a keyed edge (`keyed`), and which input of the operator it goes to."""

    payload: Any
    key: Any = None
    input: int = 0
    keyed: bool = False

    def __repr__(self) -> str:
        key = f", key={preview(self.key)}" if self.keyed else ""
        return f"Packet({preview(self.payload)}{key})"
