// The same facts as a table: for those who read rather than look, and for graphs that are too large to look at.

import { counted, html, mark, ordinal, printable, quoted, say } from "./elements.js";
import { GLYPHS, icon } from "./icons.js";
import { placesOf } from "./graph.js";
import { factsAt } from "./rows.js";
import { SlicedPainter } from "./sliced_painter.js";
import { levelOf, stateOf, stateWords } from "./states.js";
import { rateText, TimeCell } from "./times.js";

// Word, hint, look, and its share of the width in percent.
const COLUMNS = [
  ["Task", "", "", 12],
  ["Kind", "", "", 7.5],
  ["State", "", "", 14],
  ["Queue", "packets that wait, and how many may", "sn-number", 11],
  ["Processed", "taken from the queue; of a service, calls received", "sn-number", 10],
  ["Emitted", "put on outgoing edges; of a service, results", "sn-number", 8.5],
  ["Rate", "packets per second, the mean of the last second", "sn-number", 7.5],
  ["Busy", "which part of the last second it was at work; the bar shows what else it did", "sn-number", 10.5],
  ["Errors", "", "sn-number", 6],
  ["Stops", "producers that have ended: stop signals", "sn-number", 7],
  ["Ended", "in which order", "sn-number", 6],
];

export class Table {
  constructor(store) {
    this.store = store;
    const heads = COLUMNS.map(([word, hint, look, share]) => {
      const head = html("th", { scope: "col", class: look, title: hint || null }, word);
      head.style.width = `${share}%`;
      return head;
    });
    this.body = html("tbody");
    this.caption = html("caption", { class: "sn-hidden" });
    const table = html(
      "table",
      { class: "sn-table" },
      this.caption,
      html("thead", {}, html("tr", {}, ...heads)),
      this.body,
    );
    this.element = html(
      "section",
      { class: "sn-table-area", onscroll: () => this.before && this.start(), "aria-label": "Table of tasks" },
      table,
    );
    this.painter = new SlicedPainter((line) => this.paintLine(line, factsAt(store.shown, line.index, this.places)));
    this.lines = [];
    store.on("plan", () => this.build());
    store.on("plan frame look", () => this.paint());
    store.on("plan select", () => this.paintSelected());
    this.build();
    this.paint();
    this.paintSelected();
  }

  build() {
    const { plan } = this.store;
    say(this.caption, printable(`Tasks and services of ${plan.name}`, 300));
    this.lines = plan.rows.map((row, index) => this.line(row, index));
    this.body.replaceChildren(...this.lines.map((line) => line.element));
    this.before = null;
  }

  line(row, index) {
    const name = html(
      "button",
      { type: "button", class: "sn-link", tabindex: "-1", "data-row": index },
      quoted(row.name, { limit: 60 }),
    );
    const path = icon("dot");
    const word = html("span");
    const time = new TimeCell();
    const cells = COLUMNS.slice(3).map(([word]) => (word === "Busy" ? time.element : html("td", { class: "sn-number" })));
    const state = html("td", { class: "sn-state" }, path, word);
    const kind = html("td", {}, quoted(row.tasks > 1 ? `${row.kind} × ${row.tasks}` : row.kind, { limit: 40 }));
    const element = html("tr", {}, html("th", { scope: "row" }, name), kind, state, ...cells);
    element.addEventListener("click", () => {
      this.store.select(index);
      name.focus();
    });
    return { row, index, element, name, path, word, state, cells, time, last: "" };
  }

  paint() {
    const { shown: frame } = this.store;
    if (this.element.hidden || frame === this.before) return;
    this.before = frame;
    const places = placesOf(frame);
    this.places = places;
    this.start();
  }

  /** Lines are of one height: which of them are in sight needs no look at each. */
  start() {
    const { scrollTop, clientHeight } = this.element;
    const high = this.high || (this.high = this.lines[0]?.element.offsetHeight ?? 0) || 24;
    const [from, to] = [scrollTop / high - 2, (scrollTop + clientHeight) / high + 1];
    this.painter.start(this.lines, ({ index }) => index >= from && index <= to);
  }

  paintLine({ row, path, word, state, cells, time }, facts) {
    const { glyph, look } = stateOf(facts.letter);
    const words = stateWords(facts);
    if (say(word, words)) {
      mark(state, "title", words);
      path.firstChild.setAttribute("d", GLYPHS[glyph]);
      state.setAttribute("data-look", look);
    }
    const [queue, processed, emitted, rate, , errors, stops, place] = cells;
    const calls = row.calls > 0 ? ` · ${counted(facts.open)}/${counted(row.calls)} calls` : "";
    say(queue, row.capacity > 0 ? `${counted(facts.depth)}/${counted(row.capacity)}${calls}` : "");
    mark(queue, "data-level", levelOf(facts.depth, row.capacity) || null);
    say(processed, counted(facts.processed));
    say(emitted, counted(facts.emitted));
    say(rate, rateText(facts.time));
    time.paint(facts.time);
    say(errors, facts.errors > 0 ? counted(facts.errors) : "");
    say(stops, row.producers.length > 0 ? `${counted(facts.ended)}/${counted(row.producers.length)}` : "");
    say(place, facts.place > 0 ? ordinal(facts.place) : "");
  }

  paintSelected() {
    const { selected } = this.store;
    for (const { element, name, index } of this.lines) {
      mark(element, "data-selected", index === selected ? "yes" : null);
      mark(name, "aria-pressed", String(index === selected));
      mark(name, "tabindex", index === Math.max(selected, 0) ? "0" : "-1");
    }
  }

  close() {
    this.painter.close();
  }

  focus(index = Math.max(this.store.selected, 0)) {
    this.lines[index]?.name.focus();
  }
}
