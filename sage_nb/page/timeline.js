// The timeline: a lane per row with its states over time and what happened to it, and a way to look back. Painted on
// one canvas that is as large as what can be seen of it, so two hundred lanes cost as much as twelve.

import { Control } from "./controls.js";
import { counted, html, mark, printable, say, seconds } from "./elements.js";
import { eventText } from "./log.js";
import { faultAt, nextFault } from "./marks.js";
import { Theme } from "./theme.js";
import { Throttle } from "./throttle.js";
import { TimelinePainter } from "./timeline_painter.js";
import { ENDED_JOB, stateOf } from "./states.js";

const LANE = 16;
const GUTTER = 132; // where the names are
const AXIS = 20;
const END = 12; // room at the right
const MOST_LANES = 9.5; // shown at once; of more, they scroll, as the half one says
const PAINT_MS = 200;
const STILL_MS = 1_000; // without news, a job that has not ended is as it was, and time goes on

export class Timeline {
  constructor(store) {
    this.store = store;
    this.canvas = html("canvas", {
      class: "sn-canvas",
      role: "img",
      onpointermove: (event) => this.point(event),
      onpointerleave: () => this.pointed(""),
      onclick: (event) => this.clicked(event),
    });
    this.space = html("div", { class: "sn-lane-space" }, this.canvas);
    this.area = html(
      "div",
      {
        class: "sn-lane-area",
        tabindex: "0",
        "aria-label": "Lanes of the timeline",
        onscroll: () => this.throttle.soon(),
      },
      this.space,
    );
    this.slider = html("input", {
      type: "range",
      class: "sn-slider",
      min: 0,
      max: 0,
      step: "any",
      "aria-label": "Look back in time",
      oninput: () => this.slide(),
      onkeydown: (event) => this.key(event),
    });
    const nothing = () => (store.history.frames.length < 2 ? "there is nothing to look back at yet" : "");
    const now = () => (store.past < 0 ? "this is now" : "");
    this.controls = [
      new Control("One look back", "left", { why: nothing, act: () => this.step(-1), bare: true }),
      new Control("One look on", "right", { why: () => nothing() || now(), act: () => this.step(1), bare: true }),
      new Control("Live", "step", { why: now, act: () => store.lookBack(-1), hint: "show how it stands now" }),
    ];
    const none = () => (nextFault(store.history.events, null, 1) === null ? "nothing has gone wrong" : "");
    const turn = (by) => store.pointOut(nextFault(store.history.events, store.fault, by));
    this.faults = [
      new Control("Error before", "left", { why: none, act: () => turn(-1), hint: "packet and traceback", bare: true }),
      new Control("Next error", "right", { why: none, act: () => turn(1), hint: "packet and traceback" }),
    ];
    this.note = html("span", { class: "sn-looking", role: "status" });
    const toNow = new Control("Live", "step", { why: () => "", act: () => store.lookBack(-1) });
    /** To stand above what is not now. */
    this.banner = html("div", { class: "sn-banner", hidden: true }, this.note, toNow.element);
    this.hint = html("span", { class: "sn-hint sn-quoted" });
    this.which = html("span", { class: "sn-hint sn-which-lanes" });
    const [back, on, live] = this.controls.map((control) => control.element);
    this.turns = html("span", { class: "sn-fault-buttons" }, ...this.faults.map((control) => control.element));
    this.element = html(
      "section",
      { class: "sn-timeline", "aria-label": "Timeline" },
      html("div", { class: "sn-scrub" }, html("span", { class: "sn-scrub-buttons" }, back, on, live), this.slider),
      this.area,
      html("div", { class: "sn-timeline-foot" }, this.hint, this.which, this.turns),
    );
    this.painter = new TimelinePainter(this.canvas);
    this.throttle = new Throttle(PAINT_MS, () => this.paint());
    this.clock = setInterval(() => store.visible && this.quiet > 0 && this.throttle.soon(), STILL_MS);
    this.resized = new ResizeObserver(() => this.throttle.soon());
    this.resized.observe(this.area);
    this.theme = new Theme(this.element, () => this.throttle.soon());
    store.on("plan", () => this.build());
    store.on("plan frame events", () => this.throttle.soon());
    store.on("look fault", () => this.paint());
    store.on("select", () => this.follow());
    this.build();
    this.pointed("");
    this.throttle.soon();
  }

  build() {
    const lanes = this.store.plan.rows.length;
    this.lanes = lanes;
    this.area.style.height = `${AXIS + LANE * Math.min(MOST_LANES, Math.max(1, lanes))}px`;
    this.space.style.height = `${AXIS + LANE * lanes}px`;
    this.element.classList.toggle("sn-empty", lanes === 0);
  }

  /** Bring the lane of the selected row into sight. */
  follow() {
    const { area, store } = this;
    const top = store.selected * LANE;
    const room = area.clientHeight - AXIS - LANE;
    if (store.selected >= 0 && top < area.scrollTop) area.scrollTop = top;
    else if (top > area.scrollTop + room) area.scrollTop = top - room;
    this.paint();
  }

  /** Whether there is more to come. */
  get going() {
    const { state, closed } = this.store.frame;
    return state !== "new" && !closed && this.store.gone === "" && !ENDED_JOB.has(state);
  }

  /** For how many seconds there has been no news of a job that goes on; 0 if that is not long. */
  get quiet() {
    const since = performance.now() - this.store.heard;
    return this.going && since >= STILL_MS ? since / 1_000 : 0;
  }

  /** From when to when. */
  get span() {
    const { frames, events } = this.store.history;
    const start = Math.min(0, frames[0]?.at_s ?? 0, events[0]?.at_s ?? 0);
    const ended = ENDED_JOB.has(this.store.frame.state);
    // Of a job that has ended, what came last; the frame that says so may have been taken much later.
    const known = ended && events.some(({ kind }) => kind === "end");
    const seen = known ? 0 : (frames.at(-1)?.at_s ?? 0) + this.quiet;
    return [start, Math.max(seen, events.at(-1)?.at_s ?? 0, start + (ended ? 0.01 : 0.5))];
  }

  paint() {
    const { store } = this;
    for (const control of [...this.controls, ...this.faults]) control.refresh();
    const { frames, events } = store.history;
    const [start, end] = this.span;
    const width = this.area.clientWidth;
    const height = this.area.clientHeight;
    if (width > 0 && height > 0) {
      const from = Math.max(0, Math.floor((this.area.scrollTop - AXIS) / LANE));
      const top = AXIS - this.area.scrollTop;
      const lanes = [];
      for (let lane = from; lane < this.lanes && top + lane * LANE < height; lane++) {
        lanes.push({ index: lane, name: store.plan.rows[lane].name, y: top + lane * LANE });
      }
      const look = { width, height, gutter: GUTTER, end: END, axis: AXIS, lane: LANE, lanes, start, until: end };
      this.painter.paint({
        ...look,
        going: this.going,
        frames,
        gaps: this.store.history.gaps(),
        past: this.store.history.past,
        events,
        selected: store.selected,
        fault: store.fault,
        at: store.past < 0 ? null : store.shown.at_s,
      });
    }
    this.sayWhich();
    if (!this.isPointed) this.pointed("");
    mark(this.slider, "min", String(start));
    mark(this.slider, "max", String(end));
    const at = store.past < 0 ? end : store.shown.at_s;
    if (Number(this.slider.value) !== at) this.slider.value = String(at);
    const past = store.past >= 0;
    mark(this.slider, "aria-valuetext", past ? seconds(store.shown.at_s) : "now");
    mark(this.element, "data-past", past ? "yes" : null);
    say(this.note, past ? `looking back at ${seconds(store.shown.at_s)}: this is how it stood then` : "");
    this.banner.hidden = !past;
    mark(
      this.canvas,
      "aria-label",
      printable(
        `States of ${this.lanes} tasks over ${seconds(end - start)}, ${events.length} events; the log says them in words`,
        200,
      ),
    );
  }

  /** Which lanes are in sight, if not all are. */
  sayWhich() {
    const { scrollTop, clientHeight } = this.area;
    const first = Math.round(scrollTop / LANE) + 1;
    const last = Math.min(this.lanes, Math.floor((scrollTop + clientHeight - AXIS) / LANE));
    const all = first <= 1 && last >= this.lanes;
    const some = `lanes ${counted(first)}–${counted(last)} of ${counted(this.lanes)}: scroll for the others`;
    say(this.which, all ? "" : some);
    mark(this.canvas, "data-below", last < this.lanes ? "yes" : null);
  }

  slide() {
    const { history } = this.store;
    const time = Number(this.slider.value);
    const [, end] = this.span;
    this.store.lookBack(time >= end ? -1 : history.placeAt(time));
  }

  key(event) {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    this.step(by);
  }

  step(by) {
    const { past, history } = this.store;
    const place = past < 0 ? history.frames.length - 1 : past;
    this.store.lookBack(Math.max(0, place + by));
  }

  timeAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const [start, end] = this.span;
    const share = (event.clientX - box.left - GUTTER) / Math.max(1, box.width - GUTTER - END);
    const lane = Math.floor((event.clientY - box.top + this.area.scrollTop - AXIS) / LANE);
    return {
      share,
      time: start + share * (end - start),
      lane,
      each: (end - start) / Math.max(1, box.width - GUTTER - END),
    };
  }

  /** Where a time is on the canvas that was painted last. */
  placeOf(time) {
    const [start, end] = this.span;
    return Math.max(GUTTER, GUTTER + ((time - start) / (end - start)) * (this.area.clientWidth - GUTTER - END));
  }

  faultAt(event) {
    const { lane } = this.timeAt(event);
    const at = event.clientX - this.canvas.getBoundingClientRect().left;
    return faultAt(this.painter.marks, lane, at, (time) => this.placeOf(time));
  }

  /** A mark of an error leads to its packet and traceback, any other place back to that time. */
  clicked(event) {
    const { share, time, lane } = this.timeAt(event);
    const fault = this.faultAt(event);
    if (fault !== null) return this.store.pointOut(fault);
    if (lane >= 0 && lane < this.lanes) this.store.select(lane);
    if (share >= 0) this.store.lookBack(share >= 1 ? -1 : this.store.history.placeAt(time));
  }

  /** Say what is under the pointer: the state, and what happened there. */
  point(event) {
    const { share, time, lane, each } = this.timeAt(event);
    const row = this.store.plan.rows[lane];
    const fault = row === undefined ? null : this.faultAt(event);
    this.canvas.classList.toggle("sn-leads-on", fault !== null);
    if (row === undefined || share < 0 || share > 1) return this.pointed("");
    const { frames, events } = this.store.history;
    const { history } = this.store;
    const isUnseen = history.gaps().some(([from, until]) => from <= time && time < until);
    const frame = isUnseen ? undefined : frames[history.placeAt(time)];
    const near = events.filter((one) => one.row === lane && Math.abs(one.at_s - time) < 4 * each);
    const words = near.slice(0, 3).map((one) => eventText(this.store, one));
    if (near.length > 3) words.push(`and ${counted(near.length - 3)} more`);
    if (fault !== null) words.push("click to see its packet and traceback");
    const known = history.past.words(lane, time) || history.past.note || "nothing is known";
    const state = frame === undefined ? `nobody looked · ${row.name}: ${known}` : `${row.name} ${stateOf(frame.states[lane]).word}`;
    return this.pointed([seconds(time), state, ...words].filter((one) => one).join(" · "));
  }

  pointed(text) {
    this.isPointed = text !== "";
    const gaps = this.store.history.gaps().length > 0;
    const tint = gaps ? " Tinted: nobody looked; the shares of time are those that the engine measured." : "";
    say(this.hint, printable(text, 300) || `Click to look back in time.${tint}`);
  }

  close() {
    clearInterval(this.clock);
    this.throttle.close();
    this.resized.disconnect();
    this.theme.close();
  }
}
