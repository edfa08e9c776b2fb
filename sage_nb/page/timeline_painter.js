// The brush of the timeline. Every state has a shape of its own, so that none is told by its colour alone.

import { counted, fitted } from "./elements.js";
import { GLYPHS } from "./icons.js";
import { marksOf } from "./marks.js";
import { stateOf } from "./states.js";
import { coloursOf } from "./theme.js";

const STEPS_S = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600,
  86400,
];
const HUES = {
  running: "blue",
  paused: "pink",
  held: "red",
  waiting: "orange",
  backing: "orange",
  failed: "red",
  ended: "green",
};

// What an event looks like: glyph, colour, size.
const SIGNS = new Map(
  Object.entries({
    start: ["right", "faint", 7],
    turn: ["dot", "ink", 7],
    "stop signal": ["octagon", "green", 9],
    end: ["check", "green", 9],
    error: ["cross", "red", 9],
    skip: ["skip", "red", 9],
    warning: ["alarm", "orange", 9],
    abandoned: ["alarm", "red", 9],
    "late reply": ["hourglass", "orange", 8],
    command: ["triangle", "pink", 7],
  }),
);

const STACK = 12; // px, of all shares of a stretch
const CANCELLED = ["slashed", "faint", 9];

/** A time on the axis, as fine as its steps are. */
function tick(time, step) {
  if (step < 1) return `${time.toFixed(step < 0.01 ? 3 : step < 0.1 ? 2 : 1)} s`;
  const whole = Math.round(time);
  if (step < 60 && whole < 100) return `${whole} s`;
  const parts = [Math.floor(whole / 60) % 60, whole % 60].map((part) => String(part).padStart(2, "0"));
  return whole < 3600 ? parts.join(":") : `${Math.floor(whole / 3600)}:${parts.join(":")}`;
}

export class TimelinePainter {
  constructor(canvas) {
    this.canvas = canvas;
    this.brush = canvas.getContext("2d");
    this.marks = []; // as they were drawn last
    this.glyphs = new Map(Object.entries(GLYPHS).map(([name, path]) => [name, new Path2D(path)]));
  }

  paint(look) {
    const { width, height } = look;
    const ratio = window.devicePixelRatio || 1;
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== wide || this.canvas.height !== high) {
      this.canvas.width = wide;
      this.canvas.height = high;
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${height}px`;
    }
    this.readColours();
    const { brush } = this;
    brush.setTransform(ratio, 0, 0, ratio, 0, 0);
    brush.clearRect(0, 0, width, height);
    brush.textBaseline = "middle";
    const scale = (width - look.gutter - look.end) / (look.until - look.start);
    const x = (time) => look.gutter + (time - look.start) * scale;
    const cut = new Path2D();
    cut.rect(0, look.axis, width, height);
    brush.save();
    brush.clip(cut);
    this.tintGaps(look, x);
    const ends = new Map(look.events.filter(({ kind }) => kind === "end").map(({ row, at_s }) => [row, at_s]));
    for (const lane of look.lanes) this.lane(lane, look, x, ends.get(lane.index) ?? Infinity);
    this.drawEvents(look, x);
    brush.restore();
    this.axis(look, x, scale);
    if (look.at !== null) this.cursor(look, x(Math.min(look.at, look.until)));
  }

  /** The notebook may change its colours at any time: they are read anew, each as the browser has worked it out. */
  readColours() {
    this.colours = coloursOf(this.canvas);
  }

  /** A row's name and its states, up to its end, which is known better than by the frames. */
  lane({ index, name, y }, look, x, ended) {
    const { brush, colours } = this;
    if (index === look.selected) {
      brush.globalAlpha = 0.12;
      brush.fillStyle = colours.accent;
      brush.fillRect(0, y, look.width, look.lane);
      brush.globalAlpha = 1;
    }
    brush.fillStyle = colours.ink;
    brush.font = `11px ${colours.font}`;
    brush.textAlign = "left";
    brush.fillText(fitted(name, look.gutter - 22, 11), 12, y + look.lane / 2);
    const middle = y + look.lane / 2;
    brush.fillStyle = colours.line;
    brush.fillRect(look.gutter, middle - 0.5, look.width - look.gutter - look.end, 1);
    const { frames } = look;
    const last = look.going ? look.until : Math.min(look.until, frames.at(-1)?.at_s); // no news: it is as it was
    const isNextTo = (place) => frames[place].since_s <= frames[place - 1].at_s;
    for (let at = 0; at < frames.length;) {
      const letter = frames[at].states[index];
      let next = at + 1;
      while (next < frames.length && frames[next].states[index] === letter && isNextTo(next)) next += 1;
      const from = x(frames[at].at_s);
      const seen = next === frames.length ? last : frames[isNextTo(next) ? next : next - 1].at_s;
      if (frames[at].at_s < ended) this.span(stateOf(letter).look, from, Math.max(1, x(Math.min(ended, seen)) - from), middle);
      at = next;
    }
    for (const gap of look.gaps) this.unseen(look.past.of(index), gap, x, middle);
  }

  /** Where nobody looked, what there is are shares. */
  tintGaps({ gaps, axis, height }, x) {
    const { brush, colours } = this;
    brush.fillStyle = colours.faint;
    for (const [from, until] of gaps) {
      brush.globalAlpha = 0.1;
      brush.fillRect(x(from), axis, x(until) - x(from), height - axis);
      brush.globalAlpha = 0.6;
      for (let y = axis; y < height; y += 4) brush.fillRect(Math.round(x(until)), y, 1, 2);
    }
    brush.globalAlpha = 1;
  }

  /** The stretches of a lane within a gap: each share of one is as high as its part of the time. */
  unseen(stretches, [from, until], x, middle) {
    for (const stretch of stretches) {
      const left = x(Math.max(from, stretch.from));
      const width = x(Math.min(until, stretch.until)) - left;
      if (width <= 0 || stretch.time === null) continue;
      let bottom = middle + STACK / 2;
      for (const { look, share } of stretch.time.parts) {
        const high = (STACK * share) / 100;
        if (HUES[look] === undefined && look !== "off") continue; // it was idle, or waited for its turn
        this.share(look, left, bottom - high, width, high);
        bottom -= high;
      }
    }
  }

  /** A share: full, paler, with lines of its own, so that none is told by its colour alone. */
  share(look, x, y, width, high) {
    const { brush, colours } = this;
    const hue = colours[HUES[look === "off" ? "running" : look]];
    brush.fillStyle = hue;
    brush.globalAlpha = look === "running" ? 1 : look === "off" ? 0.5 : 0.25;
    brush.fillRect(x, y, width, high);
    brush.globalAlpha = 1;
    if (look === "held") for (let at = x; at < x + width; at += 4) brush.fillRect(at, y, Math.min(1.5, width), high);
    else if (look === "waiting") brush.fillRect(x, y + high / 2 - 0.75, width, Math.min(1.5, high));
    else if (look === "backing") for (let at = x; at < x + width; at += 5) brush.fillRect(at, y, Math.min(2.5, width), high);
    else if (look === "paused") brush.fillRect(x, y, width, Math.min(1, high));
  }

  /** One state over a time: full, hollow, hatched, half as high, dotted, or no more than the line. */
  span(look, x, width, middle) {
    const { brush, colours } = this;
    const hue = HUES[look];
    if (hue === undefined || look === "ended") return;
    brush.fillStyle = brush.strokeStyle = colours[hue];
    brush.lineWidth = 1;
    if (look === "running") brush.fillRect(x, middle - 4, width, 8);
    else if (look === "waiting") brush.fillRect(x, middle - 2, width, 4);
    else if (look === "backing") for (let at = x; at < x + width; at += 5) brush.fillRect(at, middle - 2, 2.5, 4);
    else if (look === "paused") {
      brush.globalAlpha = 0.3;
      brush.fillRect(x, middle - 4, width, 8);
      brush.globalAlpha = 1;
      brush.strokeRect(x + 0.5, middle - 3.5, Math.max(0, width - 1), 7);
    } else if (look === "held") {
      brush.strokeRect(x + 0.5, middle - 4.5, Math.max(0, width - 1), 9);
      brush.beginPath();
      for (let at = x + 1; at + 3 < x + width; at += 4) {
        brush.moveTo(at, middle + 4);
        brush.lineTo(at + 3, middle - 4);
      }
      brush.stroke();
    }
  }

  drawEvents({ events, lanes, lane, gutter, fault }, x) {
    const ys = new Map(lanes.map(({ index, y }) => [index, y + lane / 2]));
    this.marks = marksOf(events, ys, (time) => Math.max(gutter, x(time)));
    for (const mark of this.marks) this.drawMark(mark, ys.get(mark.row), fault);
  }

  /** A sign; of many that lie on each other, one sign, how many they are, and a line as long as they are. */
  drawMark({ kind, from, to, events }, y, fault) {
    const { brush, colours } = this;
    const sign = kind === "end" && events.at(-1).text === "cancelled" ? CANCELLED : SIGNS.get(kind);
    const [glyph, colour, size] = sign ?? SIGNS.get("turn");
    const many = events.length > 1 && kind !== "turn";
    if (many) {
      brush.fillStyle = colours[colour];
      brush.fillRect(from, y + 4, Math.max(2, to - from), 3); // the states above it stay to be seen
      this.drawNumber(events.length, from + size / 2 + 3, to, y);
    }
    if (kind === "error" || kind === "skip") brush.clearRect(from - 6, y - 6, 12, 10); // or it is lost in a state
    brush.save();
    brush.translate(from - size / 2, y - size / 2);
    brush.scale(size / 12, size / 12);
    brush.fillStyle = colours[colour];
    brush.fill(this.glyphs.get(glyph), "evenodd");
    brush.restore();
    if (fault !== null && events.includes(fault)) this.ring(fault === events[0] ? from : to, y);
  }

  drawNumber(number, from, to, y) {
    const { brush, colours } = this;
    const text = counted(number);
    brush.font = `10px ${colours.font}`;
    brush.textAlign = "left";
    brush.fillStyle = colours.ink;
    const { width } = brush.measureText(text);
    if (width > to - from) return;
    brush.clearRect(from - 1, y - 6, width + 2, 10);
    brush.fillText(text, from, y - 0.5);
  }

  /** Around what is pointed out. */
  ring(at, y) {
    const { brush, colours } = this;
    brush.strokeStyle = colours.accent;
    brush.lineWidth = 2;
    brush.strokeRect(at - 7, y - 7, 14, 14);
  }

  axis({ start, until, width, height, axis, end }, x, scale) {
    const { brush, colours } = this;
    const longest = STEPS_S.at(-1);
    const step = STEPS_S.find((each) => each * scale >= 70) ?? Math.ceil(70 / scale / longest) * longest;
    brush.font = `10px ${colours.font}`;
    brush.textAlign = "center";
    for (let count = Math.ceil(start / step); count * step <= until; count++) {
      const at = x(count * step);
      brush.fillStyle = colours.line;
      brush.fillRect(at, axis - 4, 1, height - axis);
      brush.fillStyle = colours.faint;
      if (at < width - end - 4) brush.fillText(tick(count * step, step), Math.max(at, 20), axis - 11);
    }
  }

  cursor({ axis, height }, at) {
    const { brush, colours } = this;
    brush.fillStyle = colours.accent;
    brush.fillRect(at - 1, axis - 6, 2, height);
    brush.beginPath();
    brush.moveTo(at - 5, axis - 8);
    brush.lineTo(at + 5, axis - 8);
    brush.lineTo(at, axis - 1);
    brush.fill();
  }
}
