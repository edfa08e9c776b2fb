// One line for all tasks of an operator that is collapsed: how many of them are in which state, how full the queue of
// each is, and what they have counted together. Painted from the same columns as a task's own row.

import { compact, counted, fitted, mark, numbered, printable, say, svg, textWidth } from "./elements.js";
import { timeOfAll } from "./group_time.js";
import { GLYPHS, glyphPath } from "./icons.js";
import { countsOf, DIGIT, LargeGlyph, LINE, PAD, SMALL, StopCount } from "./row_parts.js";
import { levelOf, stateOf } from "./states.js";
import { TimeBar, timeWords } from "./times.js";

const BARS_PX = 11; // high
const TIME_INSET = 8;
const TIME_ABOVE = 6; // the lower edge of its box
const WIDEST_BAR = 8;
const WENT_WRONG = "fa"; // said first, however few they are
const LEVELS = ["", "filling", "high", "full"];

/** How many of these rows are in which state, as `[letter, number]`: first what has failed, then the most. */
export function talliesOf(rows, frame) {
  const numbers = new Map();
  for (const index of rows) {
    const letter = frame.states[index] ?? "n";
    numbers.set(letter, (numbers.get(letter) ?? 0) + 1);
  }
  const last = ([letter]) => (WENT_WRONG.includes(letter) ? 0 : 1);
  return [...numbers].sort((one, other) => last(one) - last(other) || other[1] - one[1]);
}

/** `12 running · 3 held back`, of many states those that there is room for. */
function talliesText(tallies, room) {
  const parts = tallies.map(([letter, number]) => `${counted(number)} ${stateOf(letter).word}`);
  for (let left = parts.length; left > 0; left--) {
    const text = [...parts.slice(0, left), ...(left < parts.length ? ["…"] : [])].join(" · ");
    if (textWidth(text, SMALL) <= room || left === 1) return fitted(text, room, SMALL);
  }
  return "";
}

/** What a frame says of all tasks of a box together. */
function groupFacts(rows, frame) {
  const facts = { depth: 0, processed: 0, emitted: 0, errors: 0, open: 0, ended: Infinity, stops: false };
  for (const index of rows) {
    for (const name of ["processed", "emitted", "errors"]) facts[name] += frame[name][index] ?? 0;
    facts.depth += frame.depths[index] ?? 0;
    facts.open += frame.open?.[index] ?? 0;
    facts.ended = Math.min(facts.ended, frame.ended[index] ?? 0);
    facts.stops ||= frame.breakpoints.includes(index);
  }
  return facts;
}

export class GroupPicture {
  /** In `box`, below its head. */
  constructor(box, plan) {
    this.box = box;
    this.index = box.rows[0];
    this.row = plan.rows[this.index];
    const { x, width } = box;
    const [top, height] = [box.y + plan.head_px, box.height - plan.head_px];
    this.place = { x, y: top, width, height };
    this.capacity = box.rows.reduce((sum, index) => sum + plan.rows[index].capacity, 0);
    this.calls = box.rows.reduce((sum, index) => sum + (plan.rows[index].calls ?? 0), 0);
    this.capacities = box.rows.map((index) => plan.rows[index].capacity);
    const frame = svg("rect", { class: "sn-row-frame", rx: 4, x: x + 4, y: top + 1, width: width - 8, height: height - 4 });
    this.title = svg("title");
    this.glyph = glyphPath("dot");
    this.states = this.text("sn-states");
    this.counts = this.text("sn-counts");
    this.depth = this.text("sn-depth", "end");
    const props = { class: "sn-row sn-group-row", role: "button", tabindex: "-1", "aria-expanded": "false" };
    const keys = { "data-row": this.index, "data-box": this.row.box };
    this.element = svg("g", { ...props, ...keys }, this.title, frame, this.glyph, this.states, this.counts, this.depth);
    this.large = new LargeGlyph(box);
    this.time = new TimeBar(x + TIME_INSET, box.y + box.height - TIME_ABOVE, width - 2 * TIME_INSET);
    this.element.append(this.large.element, this.time.element);
    this.lay(x + PAD, x + width - PAD, top + 15);
    this.last = "";
  }

  text(look, anchor = "start") {
    return svg("text", { class: look, "text-anchor": anchor });
  }

  lay(left, right, first) {
    const lines = this.capacity > 0 ? 3 : 2;
    this.glyph.setAttribute("transform", `translate(${left} ${first - 9.5}) scale(.917)`);
    this.put(this.states, left + 16, first);
    this.statesRoom = right - left - 16;
    if (lines === 3) this.layBars(left, right, first + LINE);
    const last = first + LINE * (lines - 1);
    this.put(this.counts, left, last);
    const { producers } = this.row;
    this.stops = producers.length > 0 ? new StopCount(producers.length, right, last) : null;
    if (this.stops) this.element.append(this.stops.element);
    this.countsRoom = right - left - (this.stops ? this.stops.width + 12 : 0);
  }

  put(text, x, y) {
    text.setAttribute("x", x.toFixed(1));
    text.setAttribute("y", y.toFixed(1));
  }

  /** A bar for the queue of each task, beside one another, so that one that is fuller than the others is seen. */
  layBars(left, right, baseline) {
    this.put(this.depth, right, baseline);
    const whole = Math.min(`${counted(this.capacity)}`.length * 2 + 1, 11) * DIGIT + 8;
    const room = right - left - whole;
    const number = this.box.rows.length;
    this.step = Math.min(WIDEST_BAR, room / number);
    this.bars = { x: left, y: baseline - 9.5, width: this.step * number };
    const { x, y, width } = this.bars;
    const ground = svg("path", { class: "sn-marks", d: `M${x} ${y + BARS_PX + 0.5}h${width.toFixed(1)}` });
    this.levels = LEVELS.map((level) => svg("path", { class: "sn-full", "data-level": level || null }));
    this.element.append(svg("g", { class: "sn-bars" }, ground, ...this.levels));
  }

  /** One of its tasks is chosen, or none. */
  choose(chosen) {
    mark(this.element, "data-chosen", chosen ? "yes" : null);
  }

  show(frame) {
    const { box } = this;
    const tallies = talliesOf(box.rows, frame);
    const facts = groupFacts(box.rows, frame);
    const depths = box.rows.map((index) => frame.depths[index] ?? 0);
    const time = timeOfAll(frame, box.rows);
    const now = JSON.stringify([tallies, facts, this.capacity > 0 ? depths : 0, time?.text]);
    if (now === this.last) return;
    this.last = now;
    const { glyph, look } = stateOf(tallies[0]?.[0]);
    this.glyph.setAttribute("d", GLYPHS[glyph]);
    this.large.paint(glyph);
    mark(this.element, "data-state", look);
    say(this.states, talliesText(tallies, this.statesRoom));
    const calls = `${counted(facts.open)} of ${counted(this.calls)} calls`;
    say(this.counts, this.calls > 0 ? calls : countsOf(this.row.kind, facts, this.countsRoom));
    if (this.capacity > 0) {
      const full = `${counted(facts.depth)}/${counted(this.capacity)}`;
      say(this.depth, full.length <= 11 ? full : `${compact(facts.depth)}/${compact(this.capacity)}`);
      this.paintBars(depths);
    }
    this.stops?.paint(facts.ended);
    this.time.paint(time);
    mark(this.element, "data-breakpoint", facts.stops ? "set" : null);
    const spent = time === null ? "" : `, in the last second ${timeWords(time)}`;
    const words = `${this.words(tallies, facts)}${spent}`;
    mark(this.element, "aria-label", printable(words, 300));
    say(this.title, printable(`${words}: open them`, 600));
  }

  paintBars(depths) {
    const paths = new Map(LEVELS.map((level) => [level, ""]));
    const wide = Math.max(0.6, this.step - Math.min(1.5, this.step * 0.3)).toFixed(2);
    depths.forEach((depth, at) => {
      if (depth === 0) return;
      const level = levelOf(depth, this.capacities[at]);
      const high = Math.max(1, Math.min(1, depth / this.capacities[at]) * BARS_PX).toFixed(1);
      const left = (this.bars.x + at * this.step).toFixed(2);
      paths.set(level, `${paths.get(level)}M${left} ${this.bars.y + BARS_PX}v-${high}h${wide}v${high}z`);
    });
    LEVELS.forEach((level, at) => mark(this.levels[at], "d", paths.get(level)));
  }

  /** `count, 32 tasks, 12 running, 3 held back, queues 113 of 128`. */
  words(tallies, { depth, open, ended, errors }) {
    const parts = [this.box.name, numbered(this.box.rows.length, "task")];
    parts.push(...tallies.map(([letter, number]) => `${counted(number)} ${stateOf(letter).word}`));
    if (this.capacity > 0) parts.push(`queues ${counted(depth)} of ${counted(this.capacity)}`);
    if (this.calls > 0) parts.push(`${counted(open)} of ${counted(this.calls)} calls open`);
    if (ended > 0) parts.push(`${counted(ended)} of ${counted(this.row.producers.length)} producers ended`);
    if (errors > 0) parts.push(numbered(errors, "error"));
    return parts.join(", ");
  }
}
