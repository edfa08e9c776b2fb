"""Values, live: the last of them as a table or as a chart. Brings in the widgets when one is asked for."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from runtime import Collected, GraphInvalid, Session, UnknownName
from runtime.texts.preview import preview
from sage_nb.picture import printable
from sage_nb.value_columns import Column, Kind, chart_of, table_of
from sage_nb.value_feed import Feed, ResultFeed, TapFeed
from sage_nb.wire import Ack

if TYPE_CHECKING:
    from sage_nb.stills import Still
    from sage_nb.value_view import Shape, ValueView

LAST: Final = 500
MOST: Final = 10_000
KEPT: Final = 32
"""So many views of values are kept open; when there are more, the oldest is closed."""

_kept: OrderedDict[tuple[Any, ...], tuple[weakref.ref[Session], ValueView]] = OrderedDict()
_kept_lock = threading.Lock()  # guards it


def table(session: Session, what: str | Collected[Any], last: int = LAST) -> ValueView:
    """The last values as a table, live: a column for each key, field or place, with a small line where it has numbers.

    `what` is what `collect()` has returned, or the name of an operator or a task. A result is only read: that costs the
    job nothing, shows what has come since the start, and stays in the notebook as a table. So does the name of a
    `collect`. Any other operator is tapped: shown is what it sends (of a sink, what it takes), from when a page shows
    the table. The tap is there only while a page does, costs a call for each packet, and opens a chain that the task
    is part of. At most `last` values are kept. A click on a row of a result, in a session with `trace=True`, says where
    that value comes from, and lights its way in all views of the session. Raises `UnknownName` and `GraphInvalid`.
    """
    feed = _feed(session, what, last)

    def read() -> dict[str, Any]:
        total, seen = feed.seen()
        columns, rows = table_of(seen)
        told = [column._asdict() for column in columns]
        return {"total": total, "columns": told, "rows": rows, "explained": bool(feed.operator)}

    def still(title: str) -> Still:
        from sage_nb.part_stills import still_of_table  # noqa: PLC0415  with the widgets

        columns, rows = table_of(feed.seen()[1])
        return still_of_table((title, [[column.name for column in columns], *rows]))

    return _view(session, what, "table", (last,), feed, read, still)


def chart(
    session: Session,
    what: str | Collected[Any],
    y: Column | None = None,
    by: Column | None = None,
    *,
    x: Column | None = None,
    kind: Kind = "lines",
    last: int = LAST,
) -> ValueView:
    """The last values as lines, or as bars, live: `y` over `x`, one line or bar for each value of `by`.

    A column is the key of a dictionary, the field of a record, the place in a tuple, `key` (of a keyed edge), `value`
    (a plain number itself), or a function of the value. Without `y` it is the first that has a number in it; without
    `x`, a line goes over the number of the value; a bar shows the last `y`. What has no finite number there is left
    out, and counted. At most 8 lines or bars are shown. Where the values come from, and what that costs, is as of
    `table`. Raises `UnknownName` and `GraphInvalid`.
    """
    if kind not in ("lines", "bars"):
        raise GraphInvalid(f"kind of chart is {preview(kind)}; it must be 'lines' or 'bars'")
    if kind == "bars" and by is None:
        raise GraphInvalid("a chart of bars needs by=…: one bar for each value of it")
    for word, column in (("y", y), ("by", by), ("x", x)):
        if column is not None and type(column) not in (str, int) and not callable(column):
            raise GraphInvalid(f"{word} of chart is {preview(column)}; give it the name or place of a column")
    feed = _feed(session, what, last)

    def lines() -> tuple[int, Any]:
        total, seen = feed.seen()
        return total, chart_of(seen, total - len(seen) + 1, y, by, x)

    def read() -> dict[str, Any]:
        total, found = lines()
        return {"total": total, **found._asdict(), "series": [each._asdict() for each in found.series]}

    def still(title: str) -> Still:
        from sage_nb.chart_stills import still_of_chart  # noqa: PLC0415  with the widgets

        found = lines()[1]
        return still_of_chart(title, kind, found)

    return _view(session, what, kind, (y, by, x, last), feed, read, still)


def _feed(session: Session, what: object, last: int) -> Feed:
    if not isinstance(session, Session):
        raise TypeError(f"values of a Session can be shown, not of {type(session).__name__}")
    if type(last) is not int or not 1 <= last <= MOST:
        raise GraphInvalid(f"last is {preview(last)}; it must be a whole number from 1 to {MOST:,}")
    if isinstance(what, Collected):
        return ResultFeed(session, what, last)
    graph = session.graph
    if isinstance(what, str) and what in graph.by_name and graph.by_name[what].kind == "collect":
        return ResultFeed(session, graph.by_name[what].options["into"], last)
    names = [*graph.by_name, *(task for operator in graph.by_name for task in graph.tasks(operator))]
    if not isinstance(what, str) or what not in names:
        raise UnknownName("operator or task", what, names)
    return TapFeed(session, what, last)


def _view(
    session: Session,
    what: object,
    shape: Shape,
    settings: tuple[Any, ...],
    feed: Feed,
    read: Callable[[], dict[str, Any]],
    still: Callable[[str], Still],
) -> ValueView:
    """The view of this, one for all cells that show it; it takes the place of that of an older session of this name."""
    from sage_nb.containers import follow_displays  # noqa: PLC0415  it imports the widgets
    from sage_nb.value_view import ValueView  # noqa: PLC0415

    name = what if isinstance(what, str) else "result"
    title = f"{printable(name)} of {printable(session.name)}"
    key = (session.name, name if isinstance(what, str) else id(what), shape, settings)
    follow_displays()
    with _kept_lock:
        owner, view = _kept.get(key, (None, None))
        if view is not None and owner is not None and owner() is session:
            return view
        it = weakref.ref(session)
        made = ValueView(title, shape, feed, read, lambda: still(title) if _is_told(it, feed) else _not_told(title))
        made.explain = partial(_explain, it, feed)
        _kept[key] = it, made
        closed = [view] if view is not None else []
        while len(_kept) > KEPT:
            closed.append(_kept.popitem(last=False)[1][1])
    for each in closed:
        each.close()
    session.on_change(partial(_nudge, weakref.ref(made)))
    return made


def _explain(
    session: weakref.ref[Session], feed: Feed, message: Mapping[str, Any], send: Callable[[Any], None]
) -> None:
    """Let the views of the session light the way of a value, or of none, as a page has asked."""
    from sage_nb.view_hub import hub_of  # noqa: PLC0415  it imports the widgets

    args = message.get("args") or {}
    about = {"result": feed.operator, "index": int(args["index"])} if "index" in args else {}
    if (it := session()) is None or not feed.operator:
        reason = "the session of these values is gone, or remembers nothing"
        send(Ack(ack=str(message.get("id")), ok=False, reason=reason, python="", text=""))
    else:
        hub_of(it).command_queue.put({**message, "cmd": "light", "args": about}, send)


def _nudge(view: weakref.ref[ValueView], _change: object) -> None:
    if (it := view()) is not None:
        it.nudge()


def _is_told(session: weakref.ref[Session], feed: Feed) -> bool:
    """Whether the values are final, and the end of the run was waited for, so that a still is the same in each run."""
    it = session()
    return feed.is_final and it is not None and it.told_outcome is not None


def _not_told(title: str) -> Still:
    from sage_nb.part_stills import still_of_table  # noqa: PLC0415  with the widgets

    return still_of_table((title, [("values are shown while it runs",)]))
