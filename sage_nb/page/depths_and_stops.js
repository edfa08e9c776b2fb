// Parts that a teacher lays out alone: how full the queues are, and which producers have ended.

import { counted, html, mark, ordinal, quoted, say } from "./elements.js";
import { placesOf } from "./graph.js";
import { GLYPHS, icon } from "./icons.js";
import { levelOf, stateOf } from "./states.js";

/** A bar of how full something is; the words stand beside it. */
export function meter() {
  const full = html("span", { class: "sn-meter-full" });
  return { element: html("span", { class: "sn-meter", "aria-hidden": "true" }, full), full };
}

/** Show `depth` of `capacity` on a meter. */
export function paintMeter({ element, full }, depth, capacity) {
  const share = capacity > 0 ? Math.min(1, depth / capacity) : 0;
  const width = depth > 0 ? `${Math.max(2, 100 * share).toFixed(0)}%` : "0";
  if (full.style.width !== width) full.style.width = width;
  mark(element, "data-level", levelOf(depth, capacity) || null);
}

/** Every queue: name, bar, number. */
export class Depths {
  constructor(store) {
    this.store = store;
    this.list = html("ul", { class: "sn-depths" });
    this.element = html("section", { "aria-label": "Queues" }, this.list);
    store.on("plan", () => this.build());
    store.on("plan frame", () => this.paint());
    this.build();
    this.paint();
  }

  build() {
    const { plan } = this.store;
    const indices = plan.rows.map((_, index) => index).filter((index) => plan.rows[index].capacity > 0);
    this.lines = indices.map((index) => {
      const bar = meter();
      const number = html("span", { class: "sn-depth-number" });
      const glyph = icon("dot");
      const element = html("li", {}, glyph, quoted(plan.rows[index].name, { limit: 60 }), bar.element, number);
      return { index, bar, number, glyph, element };
    });
    this.list.replaceChildren(...this.lines.map((line) => line.element));
  }

  paint() {
    const { plan, frame } = this.store;
    for (const { index, bar, number, glyph, element } of this.lines) {
      const { capacity } = plan.rows[index];
      const { glyph: name, look, word } = stateOf(frame.states[index]);
      if (say(number, `${counted(frame.depths[index])}/${counted(capacity)}`))
        paintMeter(bar, frame.depths[index], capacity);
      mark(element, "data-look", look);
      mark(element, "title", word);
      mark(glyph.firstChild, "d", GLYPHS[name]);
    }
  }
}

const NAMED = 12; // of so many producers each has its sign; of more, they are counted

/** For each task: which of its producers have sent their stop signal, and as which it has ended. */
export class Stops {
  constructor(store) {
    this.store = store;
    this.list = html("ul", { class: "sn-stops-list" });
    this.element = html("section", { "aria-label": "Stop signals" }, this.list);
    store.on("plan", () => this.build());
    store.on("plan frame", () => this.paint());
    this.build();
    this.paint();
  }

  build() {
    const { plan } = this.store;
    const indices = plan.rows.map((_, index) => index).filter((index) => !this.store.isService(index));
    this.lines = indices.map((index) => {
      const row = plan.rows[index];
      const word = html("span", { class: "sn-stops-state" });
      const number = html("span", { class: "sn-depth-number" });
      const place = html("span", { class: "sn-stops-place" });
      const named = row.producers.length <= NAMED ? row.producers : [];
      const signs = named.map((name) => {
        const sign = html("span", { class: "sn-producer" }, icon("octagon"), quoted(name, { limit: 24 }));
        return { name, sign };
      });
      const producers = html("span", { class: "sn-producers" }, ...signs.map(({ sign }) => sign));
      const element = html(
        "li",
        {},
        quoted(row.name, { limit: 40, look: "sn-strong" }),
        number,
        producers,
        word,
        place,
      );
      return { index, row, word, number, place, signs, element };
    });
    this.list.replaceChildren(...this.lines.map((line) => line.element));
  }

  paint() {
    const { frame } = this.store;
    const places = placesOf(frame);
    for (const { index, row, word, number, place, signs, element } of this.lines) {
      const { look, word: state } = stateOf(frame.states[index]);
      const total = row.producers.length;
      say(word, state);
      say(number, total > 0 ? `${counted(frame.ended[index])}/${counted(total)}` : "");
      say(place, places.has(index) ? `ended ${ordinal(places.get(index))}` : "");
      mark(element, "data-look", look);
      const heard = frame.heard[index] ?? [];
      for (const [producer, { name, sign }] of signs.entries()) {
        const before = heard.indexOf(producer); // how many signals came before its own
        const ended = before >= 0 || (total > 0 && frame.ended[index] >= total);
        mark(sign, "data-ended", ended ? "yes" : null);
        const place = before >= 0 ? `, as the ${ordinal(before + 1)}` : "";
        mark(sign, "title", ended ? `the signal of ${name} was taken${place}` : `no signal of ${name} so far`);
      }
    }
  }
}
