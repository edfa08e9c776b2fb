// What a row's letter means: word, glyph and look, always together, so that none of them is needed alone.

import { counted, numbered } from "./elements.js";

export const STATES = {
  n: { word: "new", glyph: "dot", look: "new" },
  i: { word: "idle", glyph: "ring", look: "idle" },
  r: { word: "running", glyph: "play", look: "running" },
  p: { word: "paused", glyph: "pause", look: "paused" },
  h: { word: "held back", glyph: "triangle", look: "held" },
  w: { word: "waiting", glyph: "hourglass", look: "waiting" },
  b: { word: "backing off", glyph: "dots", look: "backing" },
  t: { word: "held back: rate", glyph: "clock", look: "backing" },
  u: { word: "held back: all busy", glyph: "bars", look: "held" },
  c: { word: "completed", glyph: "check", look: "ended" },
  s: { word: "stopped", glyph: "check", look: "ended" },
  f: { word: "failed", glyph: "cross", look: "failed" },
  x: { word: "cancelled", glyph: "slashed", look: "cancelled" },
  a: { word: "abandoned", glyph: "alarm", look: "failed" },
};

const UNKNOWN = { word: "unknown", glyph: "dot", look: "new" };

export const ENDED_JOB = new Set(["completed", "stopped", "failed", "cancelled"]);

/** What the letter of a row stands for. */
export function stateOf(letter) {
  return STATES[letter] ?? UNKNOWN;
}

const WITH_WHOM = { h: "held back by", u: "held back: all busy:", w: "waiting for" };

/** What a row does, and whom it waits for, if that is told. */
export function stateWords({ letter, waits }) {
  const words = WITH_WHOM[letter];
  return waits && words ? `${words} ${waits}` : stateOf(letter).word;
}

/** Whether a row with this letter has ended, however it did. */
export function hasEnded(letter) {
  return "csfxa".includes(letter ?? "n");
}

/** How full a queue is: "" below 60 %, then filling, high from 85 %, full. */
export function levelOf(depth, capacity) {
  if (capacity <= 0 || depth <= 0) return "";
  const share = depth / capacity;
  return share >= 1 ? "full" : share >= 0.85 ? "high" : share >= 0.6 ? "filling" : "";
}

/** The facts of a row in words: "count, paused, queue 3 of 4, 1 signal, 1 of 2 producers ended". */
export function spoken(row, facts) {
  const { depth, signals, open, ended, errors, place } = facts;
  const parts = [row.name, stateWords(facts)];
  if (row.capacity > 0) parts.push(`queue ${counted(depth)} of ${counted(row.capacity)}`);
  if (row.calls > 0) parts.push(`${counted(open)} of ${counted(row.calls)} calls open`);
  if (signals.length > 0) parts.push(numbered(signals.length, "signal"));
  if (ended > 0) parts.push(`${counted(ended)} of ${counted(row.producers.length)} producers ended`);
  if (errors > 0) parts.push(numbered(errors, "error"));
  if (place > 0) parts.push(`ended as number ${counted(place)}`);
  return parts.join(", ");
}
