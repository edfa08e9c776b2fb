// The brush of charts: lines or bars on a canvas, with the colours of the timeline, read anew from the notebook each time.

import { fitted, printable } from "./elements.js";
import { coloursOf } from "./theme.js";

const EDGE = { left: 58, right: 16, top: 12, bottom: 34 };
const LINE_HUES = ["blue", "red", "green", "pink", "orange", "accent", "grey", "ink"];
const DASHES = [[], [6, 3], [2, 2], [8, 3, 2, 3]]; // so that no line is told by its colour alone
const NAMES_PX = 116; // at the right, where lines have names
const NAME_LINE = 16;

/** The place of the number that is nearest to `wanted` in a list. */
export function nearestIn(numbers, wanted) {
  let best = 0;
  numbers.forEach((number, place) => {
    if (Math.abs(number - wanted) < Math.abs(numbers[best] - wanted)) best = place;
  });
  return best;
}

/** Round steps from the least to the largest, about so many. */
export function ticksOf(low, high, most) {
  const rough = (high - low) / most;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * unit).find((each) => each >= rough * 0.999);
  const first = Math.ceil(low / step - 1e-9);
  const ticks = [];
  for (let at = 0; at <= 2 * most && (first + at) * step <= high + step * 1e-9; at++) ticks.push((first + at) * step);
  return ticks.map((tick) => Number(tick.toPrecision(12)));
}

function spanOf(numbers) {
  let [low, high] = [Infinity, -Infinity];
  for (const number of numbers) {
    low = Math.min(low, number);
    high = Math.max(high, number);
  }
  if (low > high) return [0, 1];
  const least = Math.max(Math.abs(low), Math.abs(high), 1) * 1e-12; // of less, nothing could be told apart
  return high - low > least ? [low, high] : [low - Math.max(0.5, least), low + Math.max(0.5, least)];
}

const tickText = (number) =>
  Math.abs(number) >= 1e6 || (number !== 0 && Math.abs(number) < 1e-3)
    ? number.toExponential(1)
    : number.toLocaleString("en-US", { maximumFractionDigits: 4 });

export class ChartPainter {
  constructor(canvas) {
    this.canvas = canvas;
    this.brush = canvas.getContext("2d");
  }

  paint(look) {
    const { width, height, series, bars } = (this.look = look);
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.height = `${height}px`;
    this.readColours();
    const { brush, colours } = this;
    brush.setTransform(ratio, 0, 0, ratio, 0, 0);
    brush.clearRect(0, 0, width, height);
    brush.font = `11px ${colours.font}`;
    brush.textBaseline = "middle";
    const named = !bars && series.some(({ name }) => name !== "");
    this.right = width - EDGE.right - (named ? NAMES_PX : 0);
    const ups = series.flatMap(({ y }) => (bars ? [y.at(-1), 0] : y));
    this.ys = spanOf(ups);
    this.xs = spanOf(series.flatMap(({ x }) => x));
    if (series.length === 0) return;
    this.grid();
    if (bars) this.bars();
    else series.forEach((each, place) => this.line(each, place));
    if (named) series.forEach((each, place) => this.nameOf(each, place));
    if (look.at !== null) this.cursor(look.at);
  }

  readColours() {
    this.colours = coloursOf(this.canvas);
  }

  x(along) {
    const [low, high] = this.xs;
    return EDGE.left + ((along - low) / (high - low)) * (this.right - EDGE.left);
  }

  y(up) {
    const [low, high] = this.ys;
    const [top, bottom] = [EDGE.top, this.look.height - EDGE.bottom];
    return bottom - ((up - low) / (high - low)) * (bottom - top);
  }

  /** Which value of x is at a place of the canvas. */
  valueAt(place) {
    const [low, high] = this.xs;
    return low + ((place - EDGE.left) / (this.right - EDGE.left)) * (high - low);
  }

  barAt(place) {
    const { series } = this.look;
    const at = Math.floor(((place - EDGE.left) / (this.right - EDGE.left)) * series.length);
    return Math.max(0, Math.min(series.length - 1, at));
  }

  /** The place of the next value to the left or right; without one before, the last value. */
  next(place, by) {
    const { series, bars } = this.look;
    if (series.length === 0) return null;
    if (bars) {
      const at = place === null ? 0 : Math.max(0, Math.min(series.length - 1, this.barAt(place) + by));
      return EDGE.left + ((at + 0.5) / series.length) * (this.right - EDGE.left);
    }
    const all = [...new Set(series.flatMap(({ x }) => x))].sort((one, other) => one - other);
    const now = place === null ? all.length - by : nearestIn(all, this.valueAt(place));
    return this.x(all[Math.max(0, Math.min(all.length - 1, now + (place === null && by > 0 ? 0 : by)))]);
  }

  grid() {
    const { brush, colours, look } = this;
    brush.textAlign = "right";
    for (const tick of ticksOf(...this.ys, 5)) {
      const y = Math.round(this.y(tick)) - 0.5;
      brush.fillStyle = colours.line;
      brush.fillRect(EDGE.left, y, this.right - EDGE.left, 1);
      brush.fillStyle = colours.faint;
      brush.fillText(tickText(tick), EDGE.left - 6, y);
    }
    brush.textAlign = "center";
    if (!look.bars) {
      for (const tick of ticksOf(...this.xs, Math.max(2, (this.right - EDGE.left) / 90)))
        brush.fillText(tickText(tick), this.x(tick), look.height - EDGE.bottom + 10);
      brush.textAlign = "right";
      brush.fillText(fitted(look.x, 160, 11), this.right, look.height - 8);
    }
    brush.textAlign = "left";
    brush.fillText(fitted(look.y, 160, 11), EDGE.left, look.height - 8);
  }

  line({ x, y }, place) {
    const { brush, colours } = this;
    brush.strokeStyle = brush.fillStyle = colours[LINE_HUES[place % LINE_HUES.length]];
    brush.lineWidth = 1.6;
    brush.setLineDash(DASHES[place % DASHES.length]);
    brush.beginPath();
    x.forEach((along, at) => brush.lineTo(this.x(along), this.y(y[at])));
    brush.stroke();
    brush.setLineDash([]);
    brush.beginPath();
    brush.arc(this.x(x.at(-1)), this.y(y.at(-1)), 2.6, 0, 7);
    brush.fill();
  }

  nameOf({ name }, place) {
    const { brush, colours } = this;
    const y = EDGE.top + 6 + place * NAME_LINE;
    brush.strokeStyle = colours[LINE_HUES[place % LINE_HUES.length]];
    brush.lineWidth = 2.4;
    brush.setLineDash(DASHES[place % DASHES.length]);
    brush.beginPath();
    brush.moveTo(this.right + 14, y);
    brush.lineTo(this.right + 36, y);
    brush.stroke();
    brush.setLineDash([]);
    brush.fillStyle = colours.ink;
    brush.textAlign = "left";
    brush.fillText(fitted(name, NAMES_PX - 46, 11), this.right + 42, y);
  }

  bars() {
    const { brush, colours, look } = this;
    const room = (this.right - EDGE.left) / look.series.length;
    look.series.forEach(({ name, y }, place) => {
      const x = EDGE.left + room * place;
      const [top, base] = [this.y(Math.max(0, y.at(-1))), this.y(Math.min(0, y.at(-1)))];
      brush.fillStyle = colours.blue;
      brush.fillRect(x + room * 0.15, top, room * 0.7, Math.max(1, base - top));
      brush.fillStyle = colours.ink;
      brush.textAlign = "center";
      brush.fillText(fitted(printable(name, 60), room - 4, 11), x + room / 2, look.height - EDGE.bottom + 10);
    });
  }

  cursor(at) {
    const { brush, colours, look } = this;
    const x = Math.max(EDGE.left, Math.min(this.right, at));
    brush.fillStyle = colours.accent;
    brush.fillRect(x - 0.5, EDGE.top, 1, look.height - EDGE.top - EDGE.bottom);
  }
}
