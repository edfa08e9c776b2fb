// The graph: boxes with rows and the edges between them, in an area of its own that scrolls and zooms.

import { BoxPicture } from "./boxes.js";
import { html, mark, printable, say, svg } from "./elements.js";
import { button, icon } from "./icons.js";
import { AskedWay } from "./asked_way.js";
import { OriginWay } from "./origin_way.js";
import { CallLines } from "./call_lines.js";
import { Chains } from "./chains.js";
import { blockedEdges, boxEnded, EdgePicture } from "./edges.js";
import { Overview } from "./overview.js";
import { kindOf, newSignals } from "./signals.js";
import { SlicedPainter } from "./sliced_painter.js";
import { hasEnded, STATES } from "./states.js";
import { Words } from "./words.js";

const RECENT_S = 3;
const MARGIN = 16;
export const READABLE = 0.8; // the smallest scale that a graph is shown in without being asked,
const SNUG = 0.75; // or this, where all of its width can be seen then
const WORDLESS = 0.7; // below it a text could not be read: there are boxes and glyphs only
const SMALLEST = 0.1; // smaller ones could not be pointed at
const SCALES = [0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1, 1.25, 1.5, 2];
const SIDES = ["left", "right", "up", "down"];

/** In which place each row has ended: 1 for the first. */
export function placesOf(frame) {
  return new Map(frame.order.map((index, place) => [index, place + 1]));
}

export class Graph {
  constructor(store) {
    this.store = store;
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    this.scale = 1;
    this.drawing = svg("svg", { class: "sn-drawing", role: "group", onclick: (event) => this.clicked(event) });
    this.area = html("div", { class: "sn-area", tabindex: "-1", onscroll: () => this.scrolled() }, this.drawing);
    this.beyond = SIDES.map((side) => this.sign(side));
    this.words = new Words(this.area);
    this.overview = new Overview({ go: (x, y) => this.middle(x, y), by: (x, y) => this.scrollBy(x, y) });
    this.collapse = button("Collapse parallel tasks", "collapse", () => this.foldAll(), { bare: true });
    this.timed = button("Show where time goes", "clock", () => this.showTime(!this.isTimed), { bare: true });
    this.note = html("span", { class: "sn-plan-note" });
    const zoom = html(
      "div",
      { class: "sn-zoom", role: "group", "aria-label": "Size of the graph" },
      button("Fit all of the graph", "fit", () => this.fit(false), { bare: true }),
      button("Smaller", "minus", () => this.zoom(-1), { bare: true }),
      button("Larger", "plus", () => this.zoom(1), { bare: true }),
      this.collapse,
      this.timed,
    );
    this.element = html(
      "section",
      { class: "sn-graph", "aria-label": "Graph" },
      html("div", { class: "sn-sight" }, this.area, ...this.beyond, this.words.element),
      this.overview.element,
      html("div", { class: "sn-foot" }, legend(), this.note, zoom),
    );
    this.sight = { left: -Infinity, top: -Infinity, right: Infinity, bottom: Infinity };
    this.painter = new SlicedPainter((row) => row.show(store.shown, this.places));
    this.rows = []; // what is drawn: a task's row, or one for all tasks of an operator
    this.rowOf = new Map(); // by a task's index
    this.held = null; // the box that stays where it is on the screen when another height is drawn
    this.focusing = null; // the task that gets the focus then
    this.edges = [];
    this.fitted = true;
    this.showTime(true);
    this.resized = new ResizeObserver(() => requestAnimationFrame(() => this.refit()));
    this.resized.observe(this.element);
    store.on("plan fold", () => this.build());
    store.on("plan fold frame look", () => this.paint());
    store.on("plan fold select", () => this.paintSelected());
    store.on("plan fold way", () => this.paintAsked());
    store.on("plan fold origin", () => this.paintOrigin());
    this.build();
    this.paint();
    this.paintSelected();
  }

  build() {
    const plan = this.store.drawn;
    const anew = plan.revision !== this.revision;
    const place = anew ? null : this.whereIs(this.held);
    this.revision = plan.revision;
    this.edges = plan.edges.map((edge) => new EdgePicture(edge));
    this.boxes = plan.boxes.map((box) => new BoxPicture(box, plan));
    this.rows = this.boxes.flatMap(({ rows }) => rows);
    this.rowOf.clear();
    for (const { box, rows } of this.boxes) box.rows.forEach((index, at) => this.rowOf.set(index, rows[at] ?? rows[0]));
    this.chains = new Chains();
    this.calls = new CallLines(plan);
    this.asked = new AskedWay();
    this.origins = new OriginWay();
    this.markers = svg("g", { class: "sn-markers", "aria-hidden": "true" });
    const labels = this.edges.map((edge) => edge.label).filter((label) => label !== null);
    this.drawing.replaceChildren(
      this.chains.element,
      this.calls.element,
      svg("g", { class: "sn-edges" }, ...this.edges.map((edge) => edge.element)),
      svg("g", { class: "sn-boxes" }, ...this.boxes.map((box) => box.element)),
      svg("g", { class: "sn-labels" }, ...labels),
      this.calls.labels,
      this.origins.element,
      this.asked.element,
      this.markers,
    );
    this.width = plan.width + 2 * MARGIN;
    this.height = plan.height + 2 * MARGIN;
    mark(this.drawing, "viewBox", `${-MARGIN} ${-MARGIN} ${this.width} ${this.height}`);
    mark(this.drawing, "aria-label", printable(`Graph ${plan.name}`, 300));
    this.overview.build(plan, { width: this.width, height: this.height, margin: MARGIN });
    this.sayCollapse(plan);
    say(this.note, printable(plan.note, 500));
    this.note.hidden = plan.note === "";
    this.element.classList.toggle("sn-empty", plan.boxes.length === 0);
    this.before = null; // the frame painted last, of this plan
    if (anew) this.fit(true);
    else this.resize(this.scale);
    if (place !== null) this.keep(place);
    this.held = null;
  }

  /** Collapse or open a box by its place in the plan; it stays where it is on the screen. With `focus`, it gets it. */
  fold(place, { focus = false } = {}) {
    const box = this.store.drawn.boxes[place];
    this.held = place;
    this.store.fold([box], !box.folded);
    if (focus) this.focusing = box.rows[0];
  }

  /** Collapse all operators with several tasks, or open all of them. */
  foldAll() {
    const { boxes } = this.store.drawn;
    this.held = null;
    this.store.fold(boxes, !boxes.some(({ folded }) => folded));
  }

  sayCollapse({ boxes }) {
    const several = boxes.some(({ rows }) => rows.length > 1);
    const word = boxes.some(({ folded }) => folded) ? "Open parallel tasks" : "Collapse parallel tasks";
    this.collapse.hidden = !several;
    mark(this.collapse, "aria-label", word);
    mark(this.collapse, "title", word);
  }

  /** Where a box begins on the screen. */
  whereIs(place) {
    const box = place == null ? null : this.boxes[place]?.box;
    return box && { place, y: (box.y + MARGIN) * this.scale - this.area.scrollTop };
  }

  keep({ place, y }) {
    this.area.scrollTop = (this.boxes[place].box.y + MARGIN) * this.scale - y;
    this.look();
  }

  paint() {
    const { plan, shown: frame } = this.store;
    if (this.element.hidden || frame === this.before) return;
    const places = placesOf(frame);
    this.places = places;
    this.painter.start(this.rows, (row) => this.inSight(row.place));
    for (const box of this.boxes) box.paint(frame);
    this.overview.paint(frame);
    this.paintEdges(plan, frame, places);
    this.chains.paint(this.store.drawn, frame.chains ?? []);
    this.calls.paint(frame.calls ?? []);
    this.before = frame;
  }

  /** Whether some of a place is in the part of the drawing that is scrolled to. */
  inSight({ x, y, width, height }) {
    const { left, top, right, bottom } = this.sight;
    return x < right && x + width > left && y < bottom && y + height > top;
  }

  look() {
    const { area, scale } = this;
    const [left, top] = [area.scrollLeft / scale - MARGIN, area.scrollTop / scale - MARGIN];
    const [right, bottom] = [left + area.clientWidth / scale, top + area.clientHeight / scale];
    this.sight = { left, top, right, bottom };
    const beyond = [left > 0, right < this.width - 2 * MARGIN, top > 0, bottom < this.height - 2 * MARGIN];
    this.beyond.forEach((sign, place) => {
      if (sign.hidden === beyond[place]) sign.hidden = !beyond[place];
    });
    this.overview.look(this.sight, !beyond.includes(true), area.clientWidth);
  }

  /** What shows that the graph goes on where it is cut off. For the pointer: the keyboard goes from row to row. */
  sign(side) {
    const there = { left: "to the left", right: "to the right", up: "above", down: "below" }[side];
    const props = { class: "sn-beyond", "data-side": side, "aria-hidden": "true", hidden: true };
    const go = html("span", { title: `There is more ${there}`, onclick: () => this.go(side) }, icon("chevron"));
    return html("div", props, go);
  }

  go(side) {
    this.scrollBy(...{ left: [-1, 0], right: [1, 0], up: [0, -1], down: [0, 1] }[side]);
  }

  /** Go on by so many times what is seen, a little less, so that one sees where one was. */
  scrollBy(x, y) {
    const { clientWidth: width, clientHeight: height } = this.area;
    const behavior = this.still.matches ? "auto" : "smooth";
    this.area.scrollBy({ left: 0.7 * x * width, top: 0.7 * y * height, behavior });
  }

  /** Bring a point of the drawing into the middle. */
  middle(x, y) {
    const { area, scale } = this;
    const [left, top] = [(x + MARGIN) * scale - area.clientWidth / 2, (y + MARGIN) * scale - area.clientHeight / 2];
    area.scrollTo({ left, top });
  }

  /** Whether each row has a bar that says where the last second went. */
  showTime(isTimed) {
    this.isTimed = isTimed;
    this.drawing.classList.toggle("sn-untimed", !isTimed);
    mark(this.timed, "aria-pressed", String(isTimed));
  }

  scrolled() {
    this.look();
    if (this.before !== null) this.painter.start(this.rows, (row) => this.inSight(row.place));
  }

  paintEdges(plan, frame, places) {
    const blocked = blockedEdges(plan, frame);
    const before = this.before;
    // Only what happens now travels, not what has happened while nobody looked.
    const since = before === null ? -1 : frame.at_s - before.at_s;
    const live = this.store.past < 0 && !this.wasPast && since >= 0 && since < RECENT_S;
    this.wasPast = this.store.past >= 0;
    const known = before === null ? null : new Set(before.order);
    if (live && known !== null) this.sendSignals(plan, before.signals ?? {}, frame.signals ?? {});
    const senders = new Set();
    if (live) for (const index of places.keys()) if (!known.has(index)) senders.add(plan.rows[index]?.box);
    this.edges.forEach((picture, index) => {
      const { edge } = picture;
      const ended = boxEnded(plan.boxes[edge.source], frame);
      const begun = plan.boxes[edge.source].rows.some((row) => hasEnded(frame.states[row]));
      if (live && senders.has(edge.source)) picture.stopped(this.markers, this.still.matches);
      else if (live && !begun && picture.signals === 0 && this.arrived(edge.target, frame)) {
        picture.stopped(this.markers, this.still.matches); // of an operator that has not ended with all its tasks
      }
      if (!begun && !ended && !live) {
        picture.signals = 0;
        picture.look("signalled", false);
      }
      picture.look("ended", ended);
      picture.look("broken", ended && plan.boxes[edge.source].rows.some((row) => "fxa".includes(frame.states[row])));
      picture.look("begun", begun && !ended);
      picture.look("blocked", blocked.has(index));
      if (picture.label) mark(picture.label, "data-ended", ended ? "yes" : null);
      picture.saying(blocked.has(index) ? "held back" : ended ? "its producer has ended" : "", plan);
    });
  }

  /** Let the signals travel that have come into a queue since the frame before; a stop signal does when it is taken. */
  sendSignals(plan, before, now) {
    for (const [row, signals] of Object.entries(now)) {
      for (const signal of newSignals(before[row] ?? [], signals)) {
        if (kindOf(signal) === "stop") continue;
        const [source, target] = [plan.rows[this.store.indexOf(signal.producer)]?.box, plan.rows[row]?.box];
        const picture = this.edges.find(({ edge }) => edge.source === source && edge.target === target);
        picture?.travel(this.markers, this.still.matches, "other");
      }
    }
  }

  /** Whether more producers of a box have ended than in the frame before, and it can only be of one edge. */
  arrived(target, frame) {
    const edges = this.store.plan.edges.filter((edge) => edge.target === target);
    if (edges.length !== 1) return false;
    return this.store.plan.boxes[target].rows.some((row) => frame.ended[row] > this.before.ended[row]);
  }

  clicked(event) {
    const row = event.target.closest("[data-row]");
    const box = row?.dataset.box ?? event.target.closest("[data-fold]")?.dataset.fold;
    if (box !== undefined) this.fold(Number(box));
    else if (row !== null) this.store.select(Number(row.dataset.row));
  }

  paintSelected() {
    const chosen = this.rowOf.get(this.store.selected);
    const stop = chosen ?? this.rows[0];
    this.calls.choose(this.store.plan.rows[this.store.selected]?.box);
    for (const row of this.rows) {
      row.choose(row === chosen);
      mark(row.element, "tabindex", row === stop ? "0" : "-1");
    }
    if (this.focusing !== null) this.focus(this.focusing);
    this.focusing = null;
  }

  /** The way of a question that is watched. */
  paintAsked() {
    const { way, drawn } = this.store;
    this.asked.paint(way, (task) => this.rowOf.get(this.store.indexOf(task))?.place ?? null, drawn.width);
  }

  /** The way of a packet that is explained. */
  paintOrigin() {
    const { origin, drawn } = this.store;
    this.origins.paint(origin, (task) => this.rowOf.get(this.store.indexOf(task))?.place ?? null, drawn.width);
  }

  /** Give a row the focus and bring it into sight. */
  focus(index = Math.max(this.store.selected, 0)) {
    const row = this.rowOf.get(index);
    if (row === undefined) return;
    row.element.focus({ preventScroll: true });
    const { x, y, width, height } = row.place;
    const { area, scale } = this;
    const [left, top] = [(x + MARGIN) * scale - 24, (y + MARGIN) * scale - 24];
    const [right, bottom] = [(x + width + MARGIN) * scale + 24, (y + height + MARGIN) * scale + 24];
    if (left < area.scrollLeft) area.scrollLeft = left;
    else if (right > area.scrollLeft + area.clientWidth) area.scrollLeft = right - area.clientWidth;
    if (top < area.scrollTop) area.scrollTop = top;
    else if (bottom > area.scrollTop + area.clientHeight) area.scrollTop = bottom - area.clientHeight;
  }

  /** As wide as there is room, but readable; or, asked for, all of it. */
  fit(readable) {
    const room = this.element.clientWidth - 2;
    if (room <= 0 || this.width <= 0) return;
    const wide = room / this.width;
    this.fitted = readable;
    const snug = wide >= SNUG ? Math.min(1, wide) : READABLE;
    this.resize(readable ? snug : Math.max(SMALLEST, Math.min(1, wide, 480 / this.height)));
  }

  /** After the room has changed: fit again, unless its reader has chosen a size. */
  refit() {
    if (this.fitted) this.fit(true);
    else this.look();
  }

  zoom(by) {
    const larger = SCALES.filter((scale) => (by > 0 ? scale > this.scale + 0.01 : scale < this.scale - 0.01));
    if (larger.length === 0) return;
    this.fitted = false;
    this.resize(by > 0 ? larger[0] : larger.at(-1));
  }

  resize(scale) {
    const { area } = this;
    const ratio = scale / this.scale;
    const [x, y] = [area.scrollLeft + area.clientWidth / 2, area.scrollTop + area.clientHeight / 2];
    this.scale = scale;
    this.drawing.classList.toggle("sn-wordless", scale < WORDLESS);
    this.words.turn(scale < WORDLESS);
    mark(this.drawing, "width", String(Math.round(this.width * scale)));
    mark(this.drawing, "height", String(Math.round(this.height * scale)));
    this.look();
    if (ratio !== 1 && !this.fitted) area.scrollTo(x * ratio - area.clientWidth / 2, y * ratio - area.clientHeight / 2);
  }

  close() {
    this.resized.disconnect();
    this.painter.close();
  }
}

/** What the glyphs mean, for those who meet them first. */
function legend() {
  const known = [STATES.i, STATES.r, STATES.w, STATES.p, STATES.h, STATES.c, STATES.f, STATES.x];
  const entries = known.map(({ word, glyph, look }) => html("span", {}, icon(glyph, `sn-is-${look}`), word));
  const stop = html("span", {}, icon("octagon", "sn-is-ended"), "stop signal");
  stop.title = "beside it: how many of a task's producers have ended; in a queue: a signal that waits there";
  return html("span", { class: "sn-legend" }, ...entries, stop);
}
