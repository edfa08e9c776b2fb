// What was while no page looked: the times between two frames, and how the engine's clocks divide them. Knows no page.

import { timeOf, timeWords } from "./times.js";

/** From when to when nobody looked at this run, before and between these frames: [[from, until], …]. */
export function unseen(frames, start) {
  const found = [];
  let seen = start;
  for (const { at_s, since_s } of frames) {
    if (since_s > seen) found.push([seen, since_s]);
    seen = at_s;
  }
  return found;
}

/** Stretches of each row, as a kernel tells them. */
export class Past {
  constructor() {
    this.told = { rows: [], until_s: -1, note: "" };
    this.rows = [];
  }

  /** Whether the kernel has to be asked about these times. */
  lacks(gaps) {
    return gaps.length > 0 && gaps.at(-1)[1] > this.told.until_s;
  }

  /** What it has answered, about all times until `until`. */
  hear(told, until) {
    this.told = { ...told, until_s: Math.max(told.until_s, until) };
    this.rows = [];
  }

  get note() {
    return this.told.note;
  }

  /** The stretches of a row: [{from, until, time}], `time` as of `timeOf`, or null of no time. */
  of(row) {
    return (this.rows[row] ??= stretchesOf(this.told.rows[row] ?? ""));
  }

  /** What was at a time, in words; empty where nothing is known. */
  words(row, time) {
    const found = this.of(row).find(({ from, until }) => from <= time && time < until);
    return found === undefined || found.time === null ? "" : timeWords(found.time);
  }
}

function stretchesOf(text) {
  if (text === "") return [];
  const [begin, ...stretches] = text.split("|");
  let from = Number(begin);
  return stretches.map((stretch) => {
    const comma = stretch.indexOf(",");
    const shares = stretch.slice(comma + 1);
    const one = { from, until: Number(stretch.slice(0, comma)), time: shares === "" ? null : timeOf(`0,${shares}`) };
    from = one.until;
    return one;
  });
}
