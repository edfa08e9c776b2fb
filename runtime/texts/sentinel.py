"""A name for what is no value: no packet, every key, nothing to send yet."""

from __future__ import annotations


class Sentinel:
    """One object, also after it was copied or pickled: the global variable `name` of `module`."""

    def __init__(self, name: str, module: str) -> None:
        self.__module__ = module
        self._name = name

    def __repr__(self) -> str:
        return self._name

    def __reduce__(self) -> str:
        return self._name
