"""Which of some names somebody may have meant."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """What a refusal of `name` adds to itself if one of `names` is like it; otherwise nothing."""
    import difflib  # noqa: PLC0415  only after a slip, and never for the import of `runtime`

    near = difflib.get_close_matches(name, names, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
