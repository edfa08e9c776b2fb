// The way of a question in the graph: at each box what came, what was made of it and how long that took; and where it
// is now. Knows places of rows, not what is in them.

import { valuesOf } from "./ask_watch.js";
import { fitted, milliseconds, printable, svg, textWidth } from "./elements.js";

export const PILL_PX = 17;
export const PILL_WORDS_PX = 11;
export const PILL_OVER_PX = 34; // that a label may be wider than its row: there is room before the next column
export const PILL_OUT_PX = 12; // that it may reach out of the graph

export class AskedWay {
  constructor() {
    this.element = svg("g", { class: "sn-asked-way", "aria-hidden": "true" });
  }

  /**
   * `way` is null, or where the packets of the question are and what its steps were; `placeOf` says a task's place, in a
   * graph so wide.
   */
  paint(way, placeOf, wide) {
    const last = new Map((way?.steps ?? []).filter((each) => each.is_of_it).map((each) => [each.step.task, each]));
    const rings = (way?.at ?? []).map((task) => placeOf(task)).filter((place) => place !== null);
    this.element.replaceChildren(
      ...rings.map((place) => ring(place)),
      ...[...last].map(([task, step]) => label(step, placeOf(task), wide)).filter((each) => each !== null),
    );
  }
}

function ring({ x, y, width, height }) {
  return svg("rect", { class: "sn-asked-ring", x: x - 3, y: y - 3, width: width + 6, height: height + 6, rx: 9 });
}

/** On the upper edge of a row: it hides nothing but a line. */
function label({ step, took_ms: took }, place, graphPx) {
  if (place === null) return null;
  const { taken, made } = valuesOf(step);
  const time = milliseconds(took);
  const room = place.width + PILL_OVER_PX - textWidth(time, PILL_WORDS_PX) - 24;
  const words = fitted(made === "" || made === taken ? taken : `${taken} → ${made}`, room, PILL_WORDS_PX);
  const wide = textWidth(words, PILL_WORDS_PX) + textWidth(time, PILL_WORDS_PX) + 24;
  const middle = place.x + (place.width - wide) / 2;
  const left = Math.max(-PILL_OUT_PX, Math.min(middle, graphPx + PILL_OUT_PX - wide));
  const top = place.y - PILL_PX / 2 - 3;
  const base = top + PILL_PX / 2 + 4;
  return svg(
    "g",
    { class: "sn-asked-label" },
    svg("title", {}, printable(`${step.text}, ${time}`, 600)),
    svg("rect", { x: left, y: top, width: wide, height: PILL_PX, rx: PILL_PX / 2 }),
    svg("text", { x: left + 8, y: base }, words),
    svg("text", { x: left + wide - 8, y: base, class: "sn-asked-time", "text-anchor": "end" }, time),
  );
}
