// The signals that wait between packets: one marker for all of them, and what they say.

import { printable, svg } from "./elements.js";
import { GLYPHS } from "./icons.js";
import { ENDED_JOB } from "./states.js";

/** `stop`, or `other` of a signal after which more may follow. Of a stop signal, the text is how its producer ended. */
export function kindOf({ text }) {
  return ENDED_JOB.has(text) ? "stop" : "other";
}

/** `stop from split#1 (completed)`, as steps say it. */
export function signalText(signal) {
  const { producer, text } = signal;
  return printable(kindOf(signal) === "stop" ? `stop from ${producer} (${text})` : `${text} from ${producer}`, 300);
}

/** The marker, `size` px wide, around the origin. */
export function signalMarker(kind, size) {
  const scale = (size / 12).toFixed(2);
  return svg("path", {
    d: GLYPHS.octagon,
    class: "sn-signal",
    "data-kind": kind,
    transform: `scale(${scale}) translate(-6 -6)`,
  });
}

/** Whether two lists of signals say the same. */
export function sameSignals(some, others) {
  if (some === others) return true;
  return some.length === others.length && some.every((each, at) => isSame(each, others[at]));
}

function isSame(one, other) {
  return one.index === other.index && one.producer === other.producer && one.text === other.text;
}

/** Those of `now` that were not among those of `before`, wherever they stood in their queue. */
export function newSignals(before, now) {
  const known = before.map(signalText);
  return now.filter((signal) => {
    const place = known.indexOf(signalText(signal));
    if (place >= 0) known.splice(place, 1);
    return place < 0;
  });
}
