// What rows of tasks and those of collapsed operators have in common: the sign of stop signals, and counters in words.

import { compact, counted, mark, say, svg } from "./elements.js";
import { GLYPHS } from "./icons.js";

export const PAD = 11; // px, at the sides of a box
export const SMALL = 11; // px, of everything but a name
export const LINE = 17;
export const DIGIT = 6.7; // px, a figure of the small size
export const STARTS = new Set(["source", "input"]);
const SIGN_PX = 12;
const MOST_GLYPH_PX = 60;

/** The sign of the stop signal and `1/2`, how many of so many producers have ended, from its right end. */
export class StopCount {
  constructor(producers, right, baseline) {
    this.producers = producers;
    this.width = (counted(producers).length * 2 + 1) * DIGIT;
    const sign = svg("path", { d: GLYPHS.octagon, class: "sn-sign" });
    const place = [right - this.width - SIGN_PX, baseline - 8.5].map((each) => each.toFixed(1));
    sign.setAttribute("transform", `translate(${place.join(" ")}) scale(.78)`);
    const at = { x: right.toFixed(1), y: baseline.toFixed(1) };
    this.text = svg("text", { ...at, class: "sn-stop-count", "text-anchor": "end" });
    this.element = svg("g", { class: "sn-stops" }, sign, this.text);
  }

  paint(ended) {
    say(this.text, `${counted(ended)}/${counted(this.producers)}`);
    mark(this.element, "data-ended", ended >= this.producers ? "all" : ended > 0 ? "some" : null);
  }
}

/** A glyph for where there are no words: in the middle of a place, as large as it has room for. */
export class LargeGlyph {
  constructor({ x, y, width, height }) {
    const size = Math.min(width, height, MOST_GLYPH_PX) * 0.8;
    const corner = [x + (width - size) / 2, y + (height - size) / 2].map((each) => each.toFixed(1));
    const transform = `translate(${corner.join(" ")}) scale(${(size / 12).toFixed(3)})`;
    this.element = svg("path", { class: "sn-large", "fill-rule": "evenodd", transform });
  }

  paint(name) {
    this.element.setAttribute("d", GLYPHS[name]);
  }
}

/** `1,184 in · 2,368 out · 3 ✕`, or shorter where there is less room than that. */
export function countsOf(kind, { processed, emitted, errors }, room) {
  const made = STARTS.has(kind) ? processed : emitted; // once, to however many it was sent
  const written = (short, more = true) => {
    const parts = [];
    if (kind === "service") parts.push(`${short(processed)} ${processed === 1 ? "call" : "calls"}`);
    else if (!STARTS.has(kind)) parts.push(`${short(processed)} in`);
    if (kind !== "service" && kind !== "sink" && kind !== "collect" && (more || parts.length === 0)) parts.push(`${short(made)} out`);
    if (errors > 0) parts.push(`${short(errors)} ✕`);
    return parts.join(" · ");
  };
  const fits = (text) => text.length * 6 <= room;
  return [written(counted), written(compact)].find(fits) ?? written(compact, false);
}
