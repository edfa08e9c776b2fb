// What a page knows: the plan, the frames so far, the events, and what its reader has chosen. It tells its
// listeners what has changed, in one animation frame for all of it, and only while somebody can see the page.

import { Folding } from "./folding.js";
import { History } from "./history.js";

const COLLAPSE_BEYOND = 8; // tasks of an operator, where the kernel does not say

export const EMPTY_PLAN = {
  ...{ revision: -1, name: "", alt: "", grouped: false, note: "", runnable: "there is no graph yet", width: 0 },
  ...{ height: 0, head_px: 0, row_px: 0, foot_px: 0, folded_px: 0, rows: [], boxes: [], edges: [] },
};

function emptyFrame(plan) {
  const column = () => plan.rows.map(() => 0);
  return {
    ...{
      revision: plan.revision,
      number: -1,
      at_s: 0,
      since_s: 0,
      state: "new",
      holding: "none",
      waited: false,
      states: "n".repeat(plan.rows.length),
    },
    counts: { made: 0, done: 0, errors: 0, skipped: 0 },
    ...{ depths: column(), processed: column(), emitted: column(), errors: column(), ended: column(), order: [] },
    ...{
      heard: {},
      lanes: {},
      signals: {},
      open: {},
      times: "",
      waits: {},
      letters: 0,
      letters_total: 0,
      breakpoints: [],
      hits: 0,
      printed: 0,
      events: [],
    },
    closed: false,
  };
}

/** A frame comes as JSON text. */
function frameOf(text) {
  return typeof text === "string" ? JSON.parse(text || "null") : text;
}

export class Store {
  constructor(model, view) {
    this.model = model;
    this.view = view; // this page's own name, unique
    this.history = new History();
    this.folding = new Folding();
    this.listeners = new Map();
    this.dirty = new Set();
    this.visible = true;
    this.gone = ""; // why there is no kernel any more
    this.heard = 0; // when the last frame came, on the page's clock
    this.painting = 0;
    this.selected = -1;
    this.packet = null; // the packet looked at, a PacketCard
    this.step = null; // the step that it was taken by, a Stepped, or null
    this.evaluates = false; // whether what is typed as a value is evaluated as Python: its reader has to allow it
    this.fault = null; // the error or skip that its reader wants to see, an EventCard
    this.way = null; // of a question that is watched
    this.origin = null; // of what has its way lit: {places}
    this.lighter = null; // the part of the page that has lit it
    this.past = -1; // the place in the history that is shown, or -1 for now
    this.plan = this.drawn = EMPTY_PLAN; // as it was laid out, and as it is drawn
    this.frame = emptyFrame(EMPTY_PLAN);
    this.readPlan();
    this.readFrame();
  }

  /** Call `listener` in an animation frame after something of these kinds has changed: plan frame select packet look fold fault way origin. */
  on(kinds, listener) {
    for (const kind of kinds.split(" ")) {
      if (!this.listeners.has(kind)) this.listeners.set(kind, []);
      this.listeners.get(kind).push(listener);
    }
  }

  changed(kind) {
    this.dirty.add(kind);
    if (this.visible && this.painting === 0) this.painting = requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.painting = 0;
    // A new plan first, even if a frame of the old one came before it: parts are built before they are painted.
    const kinds = [...["plan", "fold"].filter((kind) => this.dirty.has(kind)), ...this.dirty];
    this.dirty.clear();
    const listeners = new Set(kinds.flatMap((kind) => this.listeners.get(kind) ?? []));
    for (const listener of listeners) {
      try {
        listener();
      } catch (error) {
        reportError(error); // one part that fails does not blind the others
      }
    }
  }

  show(visible) {
    this.visible = visible;
    if (visible && this.dirty.size > 0 && this.painting === 0)
      this.painting = requestAnimationFrame(() => this.paint());
  }

  readPlan() {
    const plan = this.model.get("plan");
    if (!Array.isArray(plan?.rows) || plan.revision === this.plan.revision) return;
    const chosen = this.plan.rows[this.selected]?.name;
    this.plan = plan;
    this.redraw();
    this.names = new Map(plan.rows.map((row, index) => [row.name, index]));
    this.selected = this.names.get(chosen) ?? -1;
    this.frame = emptyFrame(plan);
    this.text = null; // of the frame read last
    this.history.clear();
    this.past = -1;
    this.packet = this.step = this.fault = null;
    this.light(null, this.lighter);
    this.changed("plan");
    this.changed("frame");
    this.readFrame();
  }

  readFrame() {
    const text = this.model.get("frame");
    if (text === this.text) return;
    const frame = frameOf(text);
    // A frame may overtake its plan, or come twice: it is read once both are there.
    if (frame?.revision !== this.plan.revision || typeof frame.states !== "string") return;
    this.text = text;
    this.heard = performance.now();
    const anew = this.history.accept(frame);
    if (anew) this.past = -1;
    this.frame = frame;
    this.changed("frame");
  }

  /** The frame that is shown: now, or the one looked back at. */
  get shown() {
    return this.past < 0 ? this.frame : (this.history.frames[this.past] ?? this.frame);
  }

  lookBack(place) {
    const last = this.history.frames.length - 1;
    this.past = place < 0 || place >= last ? -1 : place;
    this.changed("look");
  }

  select(index) {
    if (index === this.selected) return;
    this.selected = index;
    this.changed("select");
  }

  /** Show one line for all tasks of these operators, or a line for each. */
  fold(boxes, folded) {
    for (const box of boxes) if (box.rows.length > 1) this.folding.choose(box, folded);
    this.redraw();
  }

  /** Work out anew how the plan is drawn: its reader has collapsed or opened something, or the setting is another. */
  redraw() {
    this.drawn = this.folding.drawn(this.plan, this.model.get("collapse_beyond") ?? COLLAPSE_BEYOND);
    this.changed("fold");
  }

  /** Show a packet in the inspector; `step` is the step that took it, if one did. */
  look(packet, step = null) {
    this.packet = packet;
    this.step = step;
    this.changed("packet");
  }

  /** Show the packet and the traceback of an error or a skip, wherever that can be shown; null: of none. */
  pointOut(event) {
    this.fault = event;
    if (event !== null) this.select(event.row);
    this.changed("fault");
  }

  /** Light the way that something has come: {places}; null: put it out, if it is this part of the page that lit it. */
  light(origin, lighter) {
    if (origin === this.origin || (origin === null && lighter !== this.lighter)) return;
    Object.assign(this, { origin, lighter });
    this.changed("origin");
  }

  /** Show the way of a question that is watched: {at, steps}; null: of none. */
  follow(way) {
    this.way = way;
    this.changed("way");
  }

  indexOf(name) {
    return this.names?.get(name) ?? -1;
  }

  /** The row that is selected, or null. */
  get row() {
    return this.plan.rows[this.selected] ?? null;
  }

  isService(index) {
    return this.plan.boxes[this.plan.rows[index]?.box]?.service === true;
  }

  close() {
    cancelAnimationFrame(this.painting);
    this.visible = false;
    this.listeners.clear();
  }
}
