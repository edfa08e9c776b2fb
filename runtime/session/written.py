"""What was done to a run by hand, as a test: it passes as it stands, and fails when what was seen is so no more."""

from __future__ import annotations

import builtins
import keyword
import re
from typing import Any, Final

from runtime.builder.collected import Collected
from runtime.errors import CommandRefused
from runtime.graph import Edge, OperatorNode
from runtime.graph.policy import Retry
from runtime.operators.stateful import NO_INITIAL
from runtime.session.lived import FIND, Lived, is_line
from runtime.session.session import Session
from runtime.session.sources import Sources
from runtime.texts.literal import literal_of

_OF_STREAMS: Final = frozenset(
    {"map", "filter", "flat_map", "map_batches", "reduce", "count", "scan", "take", "sink", "collect", "join"}
)
_WITHOUT_FUNCTION: Final = frozenset({"count", "take", "collect", "input"})


def as_test(session: Session, name: str = "test_what_was_seen") -> str:
    """A module with one test: the graph, what was done to its last run by hand, and what was seen, as asserts.

    The graph is written anew, with functions by their source where they are written in a notebook, a script or a
    function, and imported where a module has them. Steps are asserted by what they said; at the end the results, the
    dead letters, and the error if the run has failed. Where tasks work side by side without a seed, results are
    compared without their order: what else of them is another in each run, only a seed keeps.

    What `send` has put in is sent again, and a function that was replaced is replaced again, where that was done before
    the first resume, or to an operator with one task that held a packet.

    Raises `CommandRefused`, with what to do, if something of it cannot be said again: a function without source, a
    packet that is no literal, what retries have put in, more than 1,000 values that were sent, changes while the job
    ran, services, rates, and operators of other kinds. Raises `NotStarted`.

    >>> import runtime
    >>> from runtime.testing import as_test
    >>> with runtime.Session("absolute") as session:
    ...     found = session.source([-3, 4], name="numbers").map(abs, name="size").collect(name="found")
    ...     session.run()
    Outcome(completed: 2 in, 2 out)
    >>> print(as_test(session, "test_absolute"))
    import runtime
    <BLANKLINE>
    <BLANKLINE>
    def test_absolute():
        with runtime.Session() as session:
            numbers = session.source([-3, 4], name='numbers')
            size = numbers.map(abs, name='size')
            found = size.collect(name='found')
            session.run()
        assert list(found) == [3, 4]
    <BLANKLINE>
    """
    session._runs.started()
    return _Test(session).text(name)


class _Test:
    """One test, while it is written."""

    def __init__(self, session: Session) -> None:
        self._session, self._graph = session, session.graph
        self._settings = session._runs.environment.settings
        self._sources = Sources()
        self._names: dict[str, str] = {}  # of variables, by operator
        self._lived = Lived(session, self._sources)

    def text(self, name: str) -> str:
        """All of it."""
        if self._graph.service_nodes or self._graph.asked:
            raise CommandRefused("services, and graphs that answer, cannot be written into a test yet")
        self._lived.refuse_what_is_not_known()
        for node in self._graph.operators:
            self._operator(node)
        done = self._lived.lines()
        self._names.clear()  # by now it is known how functions are called, and no variable may be called so
        written = [self._operator(node) for node in self._graph.operators]
        ended = [] if self._lived.has_ended else [*self._seen(), "session.cancel()"]
        body = [*written, *done, *ended]
        helper = [FIND] if any("waiting(" in line for line in done) else []
        head = ["import runtime", *(["import pytest"] if any("pytest" in line for line in done) else [])]
        imports = [line for line in self._sources.lines if line.startswith(("import ", "from "))]
        rest = [line for line in self._sources.lines if line not in imports]
        test = [f"def {name}():", f"    with runtime.Session({self._options()}) as session:"]
        test += [f"        {line}" for line in body]
        test += [f"    {line}" for line in self._asserts()]
        blocks = ["\n".join(sorted({*head, *imports})), *rest, *helper, "\n".join(test)]
        return "\n\n\n".join(blocks) + "\n"

    # ── the graph ──

    def _options(self) -> str:
        settings = self._settings
        given = {"seed": settings.seed, "platform": settings.platform, "capacity": settings.capacity}
        usual = {"seed": None, "platform": "local", "capacity": 1024}
        options = [f"{key}={value!r}" for key, value in given.items() if value != usual[key]]
        if settings.on_error != "fail":
            options.append(f"on_error={_policy(settings.on_error)}")
        return ", ".join(options)

    def _operator(self, node: OperatorNode) -> str:
        """The line that adds an operator."""
        if node.rate is not None or (node.kind not in _OF_STREAMS and node.kind not in ("source", "input")):
            what = "a rate" if node.rate is not None else f"an operator of kind {node.kind!r}"
            raise CommandRefused(f"{node.name!r} is, or has, {what}, which cannot be written into a test yet")
        arguments = self._arguments(node)
        variable = self._variable(node.name)
        if node.kind in ("source", "input"):
            return f"{variable} = session.{node.kind}({', '.join(arguments)})"
        line = f"{self._stream(node, 0)}.{node.kind}({', '.join(arguments)})"
        return line if node.kind == "sink" else f"{variable} = {line}"

    def _arguments(self, node: OperatorNode) -> list[str]:
        options, settings = dict(node.options), self._settings
        given = [self._stream(node, 1)] if node.kind == "join" else []
        if node.kind not in _WITHOUT_FUNCTION:
            given.append(self._sources.expression(node.function))
        if node.kind == "collect" and isinstance(into := options.pop("into"), Collected) and into.limit is not None:
            given.append(f"limit={into.limit}")
        options.pop("keyed", None)
        if options.get("initial") is NO_INITIAL or node.kind == "count":
            options.pop("initial", None)
        if node.kind == "scan" or options.get("emit") == "each":
            options.pop("emit", None)
        given += [f"{key}={self._sources.expression(value)}" for key, value in options.items()]
        given.append(f"name={node.name!r}")
        if node.parallelism != 1:
            given.append(f"parallelism={node.parallelism}")
        if node.capacity != settings.capacity:
            given.append(f"capacity={node.capacity}")
        if node.on_error != settings.on_error:
            given.append(f"on_error={_policy(node.on_error)}")
        return given

    def _stream(self, node: OperatorNode, number: int) -> str:
        """What feeds one input of an operator."""
        first, *others = [self._end(edge) for edge in self._graph.inputs(node.name) if edge.input == number]
        return f"{first}.union({', '.join(others)})" if others else first

    def _end(self, edge: Edge) -> str:
        source = self._variable(edge.source)
        if edge.strategy == "hash":
            return f"{source}.key_by({self._sources.expression(edge.key)})"
        if edge.strategy != "round_robin":
            return f"{source}.{edge.strategy}()"
        is_keyed = any(before.strategy == "hash" for before in self._graph.inputs(edge.source))
        return f"{source}.round_robin()" if is_keyed else source

    def _variable(self, operator: str) -> str:
        if operator not in self._names:
            plain = re.sub(r"\W", "_", operator, flags=re.ASCII) or "stream"
            plain = f"_{plain}" if plain[0].isdigit() or keyword.iskeyword(plain) else plain
            while plain in {*self._names.values(), *_TAKEN, *self._sources.names}:
                plain += "_"
            self._names[operator] = plain
        return self._names[operator]

    # ── what was seen ──

    def _asserts(self) -> list[str]:
        return self._seen() if self._lived.has_ended else []

    def _seen(self) -> list[str]:
        """What has come out so far."""
        lines: list[str] = []
        failed = self._session.failure is not None
        for node in self._graph.operators:
            if isinstance(result := node.options.get("into"), Collected) and not failed:
                lines.append(self._result(node, result))
        if letters := [letter.text for letter in self._session.dead_letters]:
            lines.append(f"assert sorted(letter.text for letter in session.dead_letters) == {sorted(letters)!r}")
        return lines

    def _result(self, node: OperatorNode, result: Collected[Any]) -> str:
        name, values = self._variable(node.name), list(result)
        in_order = (self._settings.seed is not None and not self._lived.is_fed_live) or is_line(self._graph, node)
        if literal_of(values) is None or (result.limit is not None and not in_order):
            return f"assert repr({name}) == {repr(result)!r}" if in_order else f"assert len({name}) == {len(values)}"
        if in_order:
            return f"assert list({name}) == {values!r}"
        return f"assert sorted({name}, key=repr) == {sorted(values, key=repr)!r}"


_TAKEN: Final = frozenset({"session", "runtime", "pytest", "waiting", *dir(builtins)})


def _policy(policy: Any) -> str:
    if type(policy) is str:
        return repr(policy)
    if type(policy) is Retry:
        return f"runtime.{policy!r}"
    raise CommandRefused(
        f"the policy {policy!r} cannot be written into a test; a test can have Retry, skip, hold, fail"
    )
