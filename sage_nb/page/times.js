// Where the time of a row went in the last second: at work, on a processor or off it, or waiting for what.

import { compact, html, mark, say, svg } from "./elements.js";

// What time is divided into, as a frame has it, and as what state each is painted.
const SHARES = [
  ["busy", "running"],
  ["idle", "idle"],
  ["held back", "held"],
  ["held back: rate", "backing"],
  ["waiting", "waiting"],
  ["backing off", "backing"],
  ["paused", "paused"],
  ["waiting for its turn", "new"],
];
const HIGH = 3; // px, of a bar in a box

let read = { text: "", times: [] };

/** The times of a row, of a frame: {text, perS, on, parts}, or null where it has spent none. */
export function timeAt(frame, index) {
  const text = frame.times ?? "";
  if (text !== read.text) read = { text, times: text.split(";").map(timeOf) };
  return read.times[index] ?? null;
}

/** As `timeAt`, of a text as a frame has it; zeros at its end may be left out. */
export function timeOf(text) {
  if (text === "") return null;
  const [perS, on, ...shares] = text.split(",");
  const parts = [];
  const [busy, ...waits] = shares.map(Number);
  const onIt = on === "" ? busy : Math.min(busy, Number(on));
  if (onIt > 0) parts.push({ word: on === "" ? "busy" : "on the processor", look: "running", share: onIt });
  if (busy > onIt) parts.push({ word: "busy, off the processor", look: "off", share: busy - onIt });
  waits.forEach((share, place) => {
    const [word, look] = SHARES[place + 1];
    if (share > 0) parts.push({ word, look, share });
  });
  return { text, perS: Number(perS), busy, parts };
}

/** "busy 62 % (on the processor 12 %), held back 38 %". */
export function timeWords(time) {
  if (time === null) return "";
  return time.parts.map(({ word, share }) => `${word} ${share} %`).join(", ");
}

/** "1,234/s". */
export function rateText(time) {
  if (time === null) return "";
  const { perS } = time;
  return perS === 0 ? "" : `${perS >= 10 ? compact(Math.round(perS)) : Number(perS.toPrecision(2))}/s`;
}

/** The bar of a cell of the table: of pieces as wide as their shares, and how much of it is busy, in words. */
export class TimeCell {
  constructor() {
    this.bar = html("span", { class: "sn-split sn-time", "aria-hidden": "true" });
    this.word = html("span", { class: "sn-time-word" });
    this.element = html("td", { class: "sn-number" }, this.bar, this.word);
    this.text = "";
  }

  paint(time) {
    const text = time?.text ?? "";
    if (text === this.text) return;
    this.text = text;
    this.bar.replaceChildren(...(time?.parts ?? []).map(piece));
    mark(this.bar, "data-empty", time === null ? "yes" : null);
    say(this.word, time === null ? "" : `${time.busy} %`);
    mark(this.element, "title", timeWords(time) || null);
  }
}

function piece({ look, share }) {
  const found = html("span", { class: "sn-split-piece", "data-look": look });
  found.style.flexGrow = String(share);
  return found;
}

/** The bar at the foot of a row of the graph, from (`x`, `y`), so wide. */
export class TimeBar {
  constructor(x, y, width) {
    Object.assign(this, { x, y, width });
    this.element = svg("g", { class: "sn-time-bar" });
    this.text = "";
  }

  paint(time) {
    const text = time?.text ?? "";
    if (text === this.text) return;
    this.text = text;
    let at = this.x;
    const pieces = (time?.parts ?? []).map(({ look, share }) => {
      const width = (this.width * share) / 100;
      const shape = svg("rect", { x: at.toFixed(1), y: this.y, width: width.toFixed(1), height: HIGH });
      shape.setAttribute("data-look", look);
      at += width;
      return shape;
    });
    this.element.replaceChildren(...pieces);
  }
}
