"""The graph as it is written and compiled: names, records, pictures in text, descriptors; nothing runs here."""

from __future__ import annotations

import gc
import pickle
import subprocess
import sys
import threading
import time
from itertools import product
from pathlib import Path
from typing import Final

import pytest

import runtime
from runtime.communication import queue_descriptor
from runtime.communication.inbox import shares
from runtime.communication.lane import LaneSpec
from runtime.communication.queue_descriptor import LocalQueueDescriptor, QueueDescriptor
from runtime.factory import create_backend, register_backend
from runtime.factory.local_backend import LocalBackend
from runtime.testing import PATIENCE_S
from tests.platforms import MakeSession

ROOT: Final = Path(__file__).parents[1]


def build(session: runtime.Session) -> None:
    lines = session.source(["to be", "or not"], name="lines")
    words = lines.flat_map(str.split, name="split", parallelism=2)
    words.key_by(str.upper).reduce(lambda n, _: n + 1, initial=0, name="count", parallelism=3).collect(name="result")
    lines.union(words).broadcast().map(str, name="copy", parallelism=2).collect()


def test_names_are_the_same_in_every_session(make_session: MakeSession) -> None:
    texts = set()
    for _ in range(3):
        session = make_session("words")
        for stream in (session.source([1]), session.source([2]).map(abs), session.input("in").map(abs)):
            stream.collect()
        build(session)
        texts.add(str(session))
        assert [operator.name for operator in session.graph.operators][:8] == [
            *("source", "source-2", "map", "in", "map-2", "collect", "collect-2", "collect-3")
        ]
    assert len(texts) == 1


def test_ten_thousand_operators_without_names_are_named_in_a_moment(make_session: MakeSession) -> None:
    session = make_session()
    stream = session.source([1])
    began_s = time.process_time()
    for _ in range(10_000):
        stream = stream.map(abs)
    assert time.process_time() - began_s < 4, "each name was looked for from the first on"
    assert session.graph.operators[-1].name == "map-10000"


def test_the_graph_is_shown_as_text(make_session: MakeSession) -> None:
    session = make_session("words")
    build(session)
    assert str(session).splitlines() == [
        "words: new",
        "  lines    source → split (round robin), copy (broadcast)",
        "  split    flat_map × 2 → count (hash), copy (broadcast)",
        "  count    reduce × 3 → result (round robin)",
        "  result   collect",
        "  copy     map × 2 → collect (round robin)",
        "  collect  collect",
    ]
    assert repr(session.graph) == "ExecutionGraph('words': 6 operators, 6 edges, 10 tasks)"


def test_one_long_name_moves_no_other_line(make_session: MakeSession) -> None:
    session = make_session("words")
    session.source([1], name="s").map(abs, name="m" * 60).collect(name="c")
    assert str(session).splitlines() == [
        "words: new",
        f"  s  source → {'m' * 60} (round robin)",
        f"  {'m' * 60}  map → c (round robin)",
        "  c  collect",
    ]


def test_a_name_may_be_a_picture_of_several_signs(make_session: MakeSession) -> None:
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    session = make_session(family)
    result = session.source([1], name=family).map(abs, name="\u2764\ufe0f\u200d\U0001f525").collect(name="c")
    session.run(PATIENCE_S)
    assert list(result) == [1]
    assert str(session).startswith(f"{family}: completed")


def test_a_session_cannot_be_called_nothing_to_be_seen(make_session: MakeSession) -> None:
    with pytest.raises(runtime.GraphInvalid, match="cannot be the name of a session"):
        make_session(" ")


def test_the_text_of_a_run_shows_where_its_tasks_stand(make_session: MakeSession) -> None:
    session = make_session("words")
    session.source([1, 2], name="s").map(abs, name="m", parallelism=2).collect(name="c")
    session.run(PATIENCE_S)
    assert str(session).splitlines() == [
        "words: completed",
        "  s  source → m (round robin)",
        "    s: completed, 2 in, 2 out",
        "  m  map × 2 → c (round robin)",
        "    m#0: completed, queue 0 of 1,024, 1 in, 1 out",
        "    m#1: completed, queue 0 of 1,024, 1 in, 1 out",
        "  c  collect",
        "    c: completed, queue 0 of 1,024, 2 in, 0 out",
    ]


def test_an_empty_session_is_text_and_runs(make_session: MakeSession) -> None:
    session = make_session("empty")
    assert str(session) == "empty: new"
    assert repr(session.run(PATIENCE_S)) == "Outcome(completed: 0 in, 0 out)"
    assert session.wait().state == "completed"


def test_the_graph_as_a_networkx_graph(make_session: MakeSession) -> None:
    session = make_session("words")
    build(session)
    graph = session.graph.to_networkx()
    assert graph.nodes["count"] == {
        "kind": "reduce",
        "parallelism": 3,
        "capacity": 1024,
        "tasks": ("count#0", "count#1", "count#2"),
        "layer": 2,
    }
    assert sorted((a, b, each["strategy"]) for a, b, each in graph.edges(data=True)) == [
        ("copy", "collect", "round_robin"),
        ("count", "result", "round_robin"),
        ("lines", "copy", "broadcast"),
        ("lines", "split", "round_robin"),
        ("split", "copy", "broadcast"),
        ("split", "count", "hash"),
    ]


def test_layers_are_the_longest_way_from_a_source(make_session: MakeSession) -> None:
    session = make_session()
    build(session)
    assert session.graph.layers == {"lines": 0, "split": 1, "count": 2, "result": 3, "copy": 2, "collect": 3}


def test_the_engine_imports_nothing_but_the_standard_library() -> None:
    script = (
        "import sys, runtime, runtime.testing; session = runtime.Session(); session.source([1]).map(abs).collect();"
        "session.run(20); session.close();"
        "print(sorted({name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    names = set(eval(run.stdout))
    assert names & {"networkx", "matplotlib", "IPython", "ray", "anywidget", "numpy", "sage_nb"} == set()


LATE: Final = {
    *("asyncio", "email", "importlib.metadata", "multiprocessing", "socket", "ssl", "subprocess", "tempfile"),
    *("difflib", "shlex", "sqlite3", "sysconfig", "zoneinfo"),
    *("runtime.driver", "runtime.ray", "runtime.remote", "runtime.testing"),
}
"""Imported where they are used, so that `import runtime` and `import sage_nb` stay short."""


def test_importing_the_engine_or_its_face_imports_nothing_that_only_some_need() -> None:
    # Without `site`, which may import anything for packages that are installed; so `runtime` is named by its folder.
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import runtime, sage_nb; print({LATE!r} & set(sys.modules))"
    )
    command = [sys.executable, "-I", "-S", "-c", script]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout == "set()\n"


def test_importing_the_engine_alone_imports_nothing_that_only_its_face_or_few_keys_need() -> None:
    late = {"fractions", "json", "platform", "uuid"}
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import runtime; print({late!r} & set(sys.modules))"
    command = [sys.executable, "-I", "-S", "-c", script]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout == "set()\n"


def test_a_descriptor_travels_as_a_value_and_finds_its_queue_only_at_home() -> None:
    descriptor, queue = LocalQueueDescriptor.make("count#2", 7, (LaneSpec("words"),))
    copy = pickle.loads(pickle.dumps(descriptor))
    assert copy == descriptor
    assert copy.get_queue() is descriptor.get_queue() is queue
    script = f"import pickle; pickle.loads({pickle.dumps(descriptor)!r}).get_queue()"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert "QueueUnreachable: the queue of 'count#2' was made in process" in run.stderr
    descriptor.release()
    descriptor.release()
    with pytest.raises(runtime.QueueUnreachable, match=r"'count#2'.*its job is over"):
        copy.get_queue()


def test_the_queues_of_a_session_that_was_never_closed_go_with_it() -> None:
    def count() -> int:
        gc.collect()
        return len(queue_descriptor._queues)

    before = count()
    session = runtime.Session()
    session.service("echo", str)
    session.source([1, 2]).map(abs).collect()
    session.run(PATIENCE_S)
    assert count() > before
    (watch,) = [thread for thread in threading.enumerate() if thread.name.endswith("/deadlines")]
    del session
    gc.collect()
    watch.join(PATIENCE_S)  # the thread that held the request queue
    assert count() == before


def test_the_shares_of_a_queue_never_exceed_it() -> None:
    for capacity, producers in product(range(1, 9), range(1, 6)):
        share, left_over = shares(capacity, producers)
        assert share >= 1, (capacity, producers)
        assert producers * share <= max(capacity, producers), (capacity, producers)
        assert producers * share + left_over <= max(capacity, producers + 1), (capacity, producers)


class Counting(LocalBackend):
    """Threads, and a count of the queues that were asked for."""

    made = 0

    def queue(self, task: str, capacity: int, lanes: tuple[LaneSpec, ...]) -> QueueDescriptor:
        Counting.made += 1
        return super().queue(task, capacity, lanes)


def test_another_platform_is_a_backend_and_one_registration(make_session: MakeSession) -> None:
    register_backend("counting", Counting)
    assert isinstance(create_backend("counting"), Counting)
    Counting.made = 0
    session = make_session(platform="counting")
    result = session.source(range(5)).map(abs, parallelism=2).collect()
    session.run(PATIENCE_S)
    assert sorted(result) == [0, 1, 2, 3, 4]
    assert Counting.made == 4


def test_a_program_without_a_session_uses_the_parts() -> None:
    environment = runtime.Environment("parts", capacity=3)
    result = environment.source(range(50)).map(abs, parallelism=2).collect()
    manager = runtime.JobManager(environment)
    graph, backend = manager.submit()
    dispatcher = runtime.Dispatcher(graph, backend, manager)
    dispatcher.submit()
    assert [node.name for node in graph.nodes] == list(dispatcher.tasks) == ["source", "map#0", "map#1", "collect"]
    dispatcher.start()
    outcome = dispatcher.wait(PATIENCE_S)
    dispatcher.cleanup(PATIENCE_S)
    assert sorted(result) == list(range(50))
    assert manager.outcome is outcome
    assert repr(outcome) == "Outcome(completed: 50 in, 50 out)"


class TestCollected:
    def test_it_is_a_list_to_look_at(self, make_session: MakeSession) -> None:
        session = make_session()
        result = session.source(range(5)).collect()
        session.run(PATIENCE_S)
        assert result == [0, 1, 2, 3, 4]
        assert (result[1], result[-1], result[1:3], len(result), 3 in result) == (1, 4, [1, 2], 5, True)
        assert (list(reversed(result)), result.total, repr(result)) == ([4, 3, 2, 1, 0], 5, "[0, 1, 2, 3, 4]")
        assert result != [0, 1]
        assert result == result[:]

    @pytest.mark.parametrize(("limit", "kept"), [(0, []), (3, [0, 1, 2]), (10, [0, 1, 2, 3, 4])])
    def test_with_a_limit_it_keeps_the_first_and_counts_all(
        self, make_session: MakeSession, limit: int, kept: list[int]
    ) -> None:
        session = make_session()
        result = session.source(range(5)).collect(limit=limit)
        session.run(PATIENCE_S)
        assert (list(result), result.total) == (kept, 5)
