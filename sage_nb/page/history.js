// The frames that a page has seen, at most so many, and the events by their numbers. Knows no kernel and no page.

import { Past, unseen } from "./past.js";

const MOST_FRAMES = 600; // even
const MOST_EVENTS = 5_000; // of each kind, so that a flood of one pushes out none of another

export class History {
  constructor() {
    this.clear();
  }

  clear() {
    this.frames = [];
    this.every = 1; // of how many frames one is kept; doubles when there are too many
    this.seen = 0;
    this.events = [];
    this.past = new Past();
    this.missing = -1; // the first number that is missing, or -1
    this.revision = (this.revision ?? 0) + 1; // which run this is of
  }

  /** Keep a frame and its events. True if it belongs to another run than those before: they are forgotten. */
  accept(frame) {
    const last = this.frames.at(-1);
    const anew = last !== undefined && (frame.at_s < last.at_s || frame.order.length < last.order.length);
    if (anew) this.clear();
    // The newest is always there; of the others, every nth stays.
    if (this.frames.length > 1 && (this.seen - 1) % this.every !== 0) this.frames.pop();
    this.frames.push(frame);
    this.seen += 1;
    if (this.frames.length > MOST_FRAMES) {
      this.frames = this.frames.filter((_, index) => index % 2 === 0); // the first and the newest among them
      this.every *= 2;
      this.seen = 1; // the newest counts as the first of its period
    }
    this.add(frame.events ?? []);
    return anew;
  }

  /** Put frames in front of those that are known; those that came meanwhile are not doubled. */
  precede(frames) {
    const first = this.frames[0]?.number ?? Infinity;
    this.frames.unshift(...frames.filter(({ number }) => number < first));
  }

  /** From when to when nobody looked. */
  gaps() {
    return unseen(this.frames, 0);
  }

  /** Put events in their places; numbers that are there already are left out. */
  add(events, first = null) {
    if (events.length > 0) {
      const last = this.events.at(-1)?.number ?? -1;
      const inOrder = events.every((each, index) => each.number > (index ? events[index - 1].number : last));
      if (inOrder) {
        if (this.missing < 0 && events[0].number > last + 1) this.missing = last + 1;
        this.events.push(...events);
      } else {
        const byNumber = new Map([...this.events, ...events].map((each) => [each.number, each]));
        this.events = [...byNumber.values()].sort((one, other) => one.number - other.number);
      }
    }
    // An answer to a question for missing ones settles it: what is not in it has been forgotten by the kernel.
    if (first !== null) this.missing = -1;
    this.events = lastOfEachKind(this.events, MOST_EVENTS);
  }

  /** The place of the last frame that was taken at this time or before. */
  placeAt(time) {
    let place = 0;
    while (place + 1 < this.frames.length && this.frames[place + 1].at_s <= time) place += 1;
    return place;
  }
}

/** Those that are left when each kind keeps at most so many, the last ones. */
function lastOfEachKind(events, most) {
  if (events.length <= most) return events;
  const over = new Map(); // by kind: how many there are, and from there down, how many still have to go
  for (const { kind } of events) over.set(kind, (over.get(kind) ?? -most) + 1);
  if ([...over.values()].every((number) => number <= 0)) return events;
  return events.filter(({ kind }) => {
    const left = over.get(kind);
    if (left > 0) over.set(kind, left - 1);
    return left <= 0;
  });
}
