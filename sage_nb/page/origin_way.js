// Where a packet comes from, in the graph: each box on the way, with the value that was there. Knows places of rows, not
// what is in them.

import { PILL_OUT_PX, PILL_OVER_PX, PILL_PX, PILL_WORDS_PX } from "./asked_way.js";
import { counted, fitted, printable, svg, textWidth } from "./elements.js";

export class OriginWay {
  constructor() {
    this.element = svg("g", { class: "sn-origin-way", "aria-hidden": "true" });
  }

  /** `origin` is null, or has `places`; `placeOf` says a task's place, in a graph so wide. */
  paint(origin, placeOf, wide) {
    const placed = (origin?.places ?? []).map((each) => [each, placeOf(each.task)]).filter(([, place]) => place !== null);
    this.element.replaceChildren(...placed.flatMap(([each, place]) => [litBox(place), litValue(each, place, wide)]));
  }
}

function litBox({ x, y, width, height }) {
  return svg("rect", { class: "sn-origin-ring", x: x - 3, y: y - 3, width: width + 6, height: height + 6, rx: 9 });
}

/** On the upper edge of a row: it hides nothing but a line. */
function litValue({ text, more }, place, graphPx) {
  const also = more > 0 ? ` and ${counted(more)} more` : "";
  const words = `${fitted(text, place.width + PILL_OVER_PX - textWidth(also, PILL_WORDS_PX) - 16, PILL_WORDS_PX)}${also}`;
  const wide = textWidth(words, PILL_WORDS_PX) + 16;
  const middle = place.x + (place.width - wide) / 2;
  const left = Math.max(-PILL_OUT_PX, Math.min(middle, graphPx + PILL_OUT_PX - wide));
  const top = place.y - PILL_PX / 2 - 3;
  return svg(
    "g",
    { class: "sn-origin-label" },
    svg("title", {}, printable(`${text}${also}`, 600)),
    svg("rect", { x: left, y: top, width: wide, height: PILL_PX, rx: PILL_PX / 2 }),
    svg("text", { x: left + 8, y: top + PILL_PX / 2 + 4 }, words),
  );
}
