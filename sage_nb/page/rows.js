// One row of the graph: state, queue, counters, producers that have ended. Made once for its place; painted from a
// frame's columns, and only where they differ from what is there.

import { compact, counted, fitted, mark, ordinal, printable, say, svg, textWidth, titled } from "./elements.js";
import { GLYPHS, glyphPath } from "./icons.js";
import { kindOf, sameSignals, signalMarker, signalText } from "./signals.js";
import { countsOf, DIGIT, LargeGlyph, LINE, PAD, SMALL, STARTS, StopCount } from "./row_parts.js";
import { hasEnded, levelOf, spoken, stateOf, stateWords } from "./states.js";
import { timeAt, TimeBar, timeWords } from "./times.js";

const MOST_CELLS = 12;
const LEAST_CELL = 3.6; // px; where there is less room for each, even a short queue is a bar
const NAME = 13;
const BOLD = 1.18; // times as wide
const MOST_CALL_CELLS = 40;
const LEAST_CALL_CELL = 2.6;
const SIGNAL_PX = 8;
const NO_SIGNALS = [];

/** What a frame says of one row, as a record. */
export function factsAt(frame, index, places) {
  return {
    letter: frame.states[index] ?? "n",
    depth: frame.depths[index] ?? 0,
    processed: frame.processed[index] ?? 0,
    emitted: frame.emitted[index] ?? 0,
    errors: frame.errors[index] ?? 0,
    ended: frame.ended[index] ?? 0,
    place: places.get(index) ?? 0,
    stops: frame.breakpoints.includes(index),
    signals: frame.signals?.[index] ?? NO_SIGNALS,
    open: frame.open?.[index] ?? 0,
    waits: frame.waits?.[index] ?? "",
    time: timeAt(frame, index),
  };
}

/** A queue, or calls, as cells or as a bar, `width` px wide from (`x`, `y`), 10 px high; `most` is how many cells. */
class Gauge {
  constructor(capacity, x, y, width, { most = MOST_CELLS, least = LEAST_CELL, levels = true } = {}) {
    this.capacity = capacity;
    this.levels = levels; // whether it is bad to be full
    this.celled = capacity <= most && width / capacity >= least;
    this.full = svg("path", { class: "sn-full" });
    this.middle = y + 5;
    this.signals = svg("g");
    if (this.celled) {
      const step = Math.min(10, width / capacity);
      const wide = (step - Math.min(2.5, step * 0.3)).toFixed(1);
      this.placeAt = (index) => x + Math.min(index, capacity) * step;
      this.cell = (at) => `M${(x + at * step + 0.5).toFixed(1)} ${y + 0.5}h${wide}v9h-${wide}z`;
      this.width = step * capacity;
      const cells = Array.from({ length: capacity }, (_, at) => this.cell(at)).join("");
      this.element = svg("g", { class: "sn-gauge" }, svg("path", { d: cells, class: "sn-cells" }), this.full);
    } else {
      this.width = width;
      this.placeAt = (index) => x + Math.min(1, index / capacity) * width;
      this.bar = (share) => `M${x} ${y}h${(share * width).toFixed(1)}v10h-${(share * width).toFixed(1)}z`;
      const frame = svg("rect", { x: x + 0.5, y: y + 0.5, width: width - 1, height: 9, class: "sn-cells" });
      const marks = [0.6, 0.85].map((share) => `M${(x + share * width).toFixed(1)} ${y + 7}v3`).join("");
      this.element = svg("g", { class: "sn-gauge" }, frame, this.full, svg("path", { d: marks, class: "sn-marks" }));
    }
  }

  paint(depth) {
    const level = this.levels ? levelOf(depth, this.capacity) : "";
    if (level !== this.level) mark(this.element, "data-level", (this.level = level) || null);
    let path = "";
    if (this.celled) for (let at = 0; at < Math.min(depth, this.capacity); at++) path += this.cell(at);
    else if (depth > 0) path = this.bar(Math.max(0.02, Math.min(1, depth / this.capacity)));
    this.full.setAttribute("d", path);
  }

  /** A marker for each place where signals wait: after so many packets. Its title says which they are. */
  paintSignals(signals) {
    const places = new Map();
    for (const each of signals) places.set(each.index, [...(places.get(each.index) ?? []), each]);
    const markers = [...places].map(([index, here]) => {
      const kind = here.some((each) => kindOf(each) === "other") ? "other" : "stop";
      const title = svg("title", {}, here.map(signalText).join("\n"));
      const at = `translate(${this.placeAt(index).toFixed(1)} ${this.middle})`;
      return svg("g", { class: "sn-waiting-signal", transform: at }, title, signalMarker(kind, SIGNAL_PX));
    });
    this.signals.replaceChildren(...markers);
  }
}

export class RowPicture {
  /**
   * `place` is x, y, width, height; `alone` whether it is all of its box. `nameRoom` is how wide the names of its box
   * are, `rows` how many rows the whole graph has: both make columns out of lines.
   */
  constructor(row, index, place, { alone, detail, service, round, nameRoom, rows }) {
    this.row = row;
    this.index = index;
    this.place = place;
    this.service = service;
    this.alone = alone;
    this.badgeWidth = badgeWidth(rows);
    this.producers = row.producers.length;
    this.glyph = glyphPath("dot");
    this.texts = {};
    this.frame = this.outline(round);
    const props = { class: "sn-row", role: "button", tabindex: "-1", "data-row": index };
    this.title = svg("title");
    this.large = new LargeGlyph(place);
    this.element = svg("g", props, this.title, this.frame, this.glyph, this.large.element);
    if (alone) this.layBox(detail);
    else this.layLine(nameRoom);
    const { x, y, width, height } = place;
    const inset = service ? 12 : alone ? Math.max(7, round * 0.8) : 8;
    this.time = new TimeBar(x + inset, y + height - (alone ? 6 : 3.5), width - 2 * inset);
    this.element.append(this.time.element);
    this.last = null;
  }

  /** What is filled when the row is selected: of the shape of its box, or of a line of it. */
  outline(round) {
    const look = { class: "sn-row-frame" };
    if (this.service) return svg("path", { ...look, d: hexagon(this.inset(4, 3)) });
    if (!this.alone) return svg("rect", { ...look, rx: 4, ...this.inset(4, 1) });
    return svg("rect", { ...look, rx: Math.max(3, round - 3), ...this.inset(3, 3) });
  }

  inset(across, down) {
    const { x, y, width, height } = this.place;
    return {
      x: x + across,
      y: y + down,
      width: Math.max(0, width - 2 * across),
      height: Math.max(0, height - 2 * down),
    };
  }

  text(name, x, y, look, anchor = "start") {
    this.texts[name] = svg("text", { x: x.toFixed(1), y: y.toFixed(1), class: look, "text-anchor": anchor });
    this.element.append(this.texts[name]);
  }

  putGlyph(x, y, size = 11) {
    this.glyph.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${(size / 12).toFixed(3)})`);
  }

  /** The whole box: name, kind and state, queue, counters, one below the other. */
  layBox(detail) {
    const { x, y, width, height } = this.place;
    const side = this.service ? 8 : 0; // where the angles are
    const left = x + PAD + side;
    const right = x + width - PAD - side;
    const queued = this.row.capacity > 0;
    const calls = this.row.calls ?? 0;
    const lines = (queued || this.producers > 0 ? 4 : 3) + (calls > 0 ? 1 : 0);
    const pitch = Math.max(12, Math.min(LINE, (height - 8) / lines));
    let baseline = y + (height - pitch * lines) / 2 + pitch * 0.5 + 4.5;
    this.putGlyph(left, baseline - 10);
    this.text("name", left + 17, baseline, "sn-name");
    say(this.texts.name, fitted(this.row.name, right - left - 17 - 22, NAME * 1.06));
    this.order(right, baseline);
    baseline += pitch;
    this.detail = detail;
    this.text("state", left, baseline, "sn-faint");
    if (queued || this.producers > 0) {
      baseline += pitch;
      const stops = this.stopsAt(right, baseline);
      if (queued) this.queueAt(left, right - stops, baseline);
    }
    if (calls > 0) {
      baseline += pitch;
      this.callsAt(left, right, baseline);
    }
    baseline += pitch;
    this.text("counts", left, baseline, "sn-counts");
    this.countsRoom = right - left;
  }

  /** One line of a box: as much of it as there is room for, the counters last. */
  layLine(nameRoom) {
    const { x, y, width, height } = this.place;
    const left = x + PAD;
    const right = x + width - PAD;
    const baseline = y + height / 2 + 4;
    this.putGlyph(left, baseline - 9.5);
    const room = Math.min(nameRoom, width / 3);
    this.text("name", left + 15, baseline, "sn-row-name");
    say(this.texts.name, fitted(shortName(this.row), room, SMALL * BOLD));
    const begin = left + 15 + room + 5;
    const stops = this.stopsAt(right, baseline);
    const end = right - Math.max(stops, this.badgeWidth + 6);
    // As what it has ended stands where the sign was: all its producers have, then.
    this.order(this.stops ? right - stops + 4 + this.badgeWidth : right, baseline);
    if (this.row.capacity > 0) {
      const used = this.queueAt(begin, Math.min(end, begin + 64 + DIGIT * 9), baseline);
      this.countRoom = end - begin - used;
      if (this.countRoom > 40) this.text("count", end, baseline, "sn-counts", "end");
    } else {
      this.countRoom = end - begin;
      this.text("count", end, baseline, "sn-counts", "end");
    }
  }

  /** The gauge and `3/4` between `left` and `right`; returns how much of it was used. */
  queueAt(left, right, baseline) {
    const whole = Math.min(counted(this.row.capacity).length * 2 + 1, 11) * DIGIT + 6;
    this.narrow = right - left - whole < 22; // then the capacity is not said again in each line
    const text = this.narrow ? Math.min(counted(this.row.capacity).length, 5) * DIGIT + 8 : whole;
    const width = Math.max(18, Math.min(right - left - text - 2, this.row.capacity <= MOST_CELLS ? 96 : 64));
    this.gauge = new Gauge(this.row.capacity, left, baseline - 9.5, width);
    this.element.append(this.gauge.element, this.gauge.signals);
    this.text("depth", left + this.gauge.width + 5, baseline, "sn-depth");
    return this.gauge.width + text;
  }

  /** The calls that are open, a cell for each, and `18 of 32`. */
  callsAt(left, right, baseline) {
    const { calls } = this.row;
    const text = `${counted(calls)} of ${counted(calls)}`.length * DIGIT;
    const look = { most: MOST_CALL_CELLS, least: LEAST_CALL_CELL, levels: false };
    this.calls = new Gauge(calls, left, baseline - 9.5, Math.max(18, Math.min(right - left - text - 6, 10 * calls)), look);
    this.element.append(svg("g", { class: "sn-calls" }, this.calls.element));
    this.text("calls", left + this.calls.width + 5, baseline, "sn-depth");
  }

  /** How many producers have ended, ending at `right`; returns how much room it takes. */
  stopsAt(right, baseline) {
    if (this.producers === 0) return 0;
    this.stops = new StopCount(this.producers, right, baseline);
    this.element.append(this.stops.element);
    return this.stops.width + (this.alone ? 18 : Math.max(18, this.badgeWidth + 9));
  }

  order(right, baseline) {
    this.badge = svg("rect", { y: baseline - 10.5, height: 14, rx: 7, class: "sn-badge" });
    this.badge.style.display = "none";
    this.badgeAt = right;
    this.element.append(this.badge);
    this.text("order", right - 8.5, baseline, "sn-order", "middle");
  }

  choose(chosen) {
    mark(this.element, "aria-pressed", String(chosen));
  }

  show(frame, places) {
    this.paint(factsAt(frame, this.index, places));
  }

  paint(facts) {
    const { last, row } = this;
    if (last !== null && sameFacts(last, facts)) return;
    this.last = facts;
    const state = stateOf(facts.letter);
    if (last?.letter !== facts.letter) {
      this.glyph.setAttribute("d", GLYPHS[state.glyph]);
      this.large.paint(state.glyph);
      this.element.setAttribute("data-state", state.look);
    }
    if (this.texts.state && (last?.letter !== facts.letter || last.waits !== facts.waits)) {
      say(this.texts.state, this.stateText(state.word, stateWords(facts)));
    }
    if (last?.depth !== facts.depth && this.gauge) {
      this.gauge.paint(facts.depth);
      say(this.texts.depth, this.depthText(facts.depth));
    }
    if (this.gauge && !sameSignals(last?.signals ?? NO_SIGNALS, facts.signals)) this.gauge.paintSignals(facts.signals);
    if (last?.ended !== facts.ended) this.stops?.paint(facts.ended);
    if (this.calls && last?.open !== facts.open) {
      this.calls.paint(facts.open);
      say(this.texts.calls, `${counted(facts.open)} of ${counted(row.calls)}`);
    }
    if (this.texts.counts) say(this.texts.counts, countsOf(row.kind, facts, this.countsRoom));
    if (this.texts.count) say(this.texts.count, this.countText(facts));
    this.time.paint(facts.time);
    if (last?.place !== facts.place) this.paintPlace(facts.place);
    if (last?.stops !== facts.stops) mark(this.element, "data-breakpoint", facts.stops ? "set" : null);
    const time = hasEnded(facts.letter) ? "" : timeWords(facts.time);
    const words = time ? `${spoken(row, facts)}; in the last second ${time}` : spoken(row, facts);
    mark(this.element, "aria-label", printable(words, 300));
    say(this.title, printable(words, 600));
  }

  /** The state, and whom it waits for, and what it is, as far as there is room: the state matters most. */
  stateText(word, words) {
    const room = this.place.width - 2 * PAD - (this.service ? 16 : 0);
    const detail = this.detail ? `${this.detail} · ` : "";
    const wishes = [`${detail}${words}`, words, `${detail}${word}`];
    return wishes.find((each) => fitted(each, room, SMALL) === each) ?? fitted(word, room, SMALL);
  }

  depthText(depth) {
    const { capacity } = this.row;
    if (this.narrow) return compact(depth);
    const whole = `${counted(depth)}/${counted(capacity)}`;
    return whole.length <= 11 ? whole : `${compact(depth)}/${compact(capacity)}`;
  }

  /** The one number of a line: what it has processed, or made; and errors, if there were any. */
  countText({ processed, emitted, errors, open }) {
    const made = compact(this.row.capacity > 0 || STARTS.has(this.row.kind) ? processed : emitted);
    const number = this.row.calls > 0 ? `${compact(open)}/${compact(this.row.calls)}` : made; // calls are the news
    if (errors === 0) return number;
    return this.countRoom > 90 ? `${number} · ${compact(errors)} ✕` : `${compact(errors)} ✕`;
  }

  paintPlace(place) {
    this.badge.style.display = place > 0 ? "" : "none";
    if (!this.alone && this.stops) this.stops.element.style.display = place > 0 ? "none" : "";
    say(this.texts.order, place > 0 ? String(place) : "");
    const width = badgeWidth(place);
    mark(this.badge, "width", String(width));
    mark(this.badge, "x", String(this.badgeAt - width));
    mark(this.texts.order, "x", String(this.badgeAt - width / 2));
    titled(this.badge, place > 0 ? `ended ${ordinal(place)}` : "");
  }
}

const ANGLE = 9; // of a service's sides

/** The outline of a service's box. */
export function hexagon({ x, y, width, height }) {
  const angle = Math.min(ANGLE, height / 2);
  return `M${x} ${y + height / 2}l${angle} -${height / 2}h${width - 2 * angle}l${angle} ${height / 2}l-${angle} ${height / 2}h-${width - 2 * angle}z`;
}

/** `#2` of `count#2`: the box says the rest. */
export function shortName({ name, operator }) {
  return name.startsWith(operator) && name.length > operator.length ? name.slice(operator.length) : name;
}

/** How wide the names of a box's lines are. */
export function nameRoomOf(rows) {
  return Math.max(18, ...rows.map((row) => textWidth(shortName(row), SMALL * BOLD)));
}

function badgeWidth(number) {
  return Math.max(17, String(number).length * DIGIT + 8);
}

function sameFacts(one, other) {
  return (
    one.letter === other.letter &&
    one.depth === other.depth &&
    one.processed === other.processed &&
    one.emitted === other.emitted &&
    one.errors === other.errors &&
    one.ended === other.ended &&
    one.place === other.place &&
    one.stops === other.stops &&
    one.open === other.open &&
    one.waits === other.waits &&
    one.time?.text === other.time?.text &&
    sameSignals(one.signals, other.signals)
  );
}
