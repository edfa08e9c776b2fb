// What has happened, as the marks of a timeline: those of one kind in one lane that would lie on each other are one mark,
// which says how many they are.

const APART_PX = 9;
const TURNS_APART_PX = 3; // there are many, and each looks the same
const NEAR_PX = 7;
const FAULTS = new Set(["error", "skip"]);

/** The marks of the lanes that are in sight, in the order in which they began. `x` says where a time is. */
export function marksOf(events, rows, x) {
  const marks = [];
  const open = new Map(); // by lane and kind: the last mark
  for (const event of events) {
    const { row, kind } = event;
    if (!rows.has(row)) continue;
    const at = x(event.at_s);
    const name = `${row} ${kind}`;
    const last = open.get(name);
    if (last !== undefined && at - last.to < (kind === "turn" ? TURNS_APART_PX : APART_PX)) {
      last.to = Math.max(last.to, at);
      last.events.push(event);
      continue;
    }
    const mark = { row, kind, from: at, to: at, events: [event] };
    open.set(name, mark);
    marks.push(mark);
  }
  return marks;
}

/** The error or skip of a lane that is at a place, or the nearest of a mark that stands for many; or null. */
export function faultAt(marks, row, at, x) {
  const there = marks.filter(
    (mark) => mark.row === row && FAULTS.has(mark.kind) && at >= mark.from - NEAR_PX && at <= mark.to + NEAR_PX,
  );
  const far = (event) => Math.abs(x(event.at_s) - at);
  const nearest = (best, event) => (best === null || far(event) < far(best) ? event : best);
  return there.flatMap(({ events }) => events).reduce(nearest, null);
}

/** The next error or skip after one, or before it; from the ends it goes on at the other. */
export function nextFault(events, after, by) {
  const faults = events.filter(({ kind }) => FAULTS.has(kind));
  if (faults.length === 0) return null;
  const place = after === null ? -1 : faults.findIndex(({ number }) => number === after.number);
  if (place < 0) return by > 0 ? faults[0] : faults.at(-1);
  return faults[(place + by + faults.length) % faults.length];
}
