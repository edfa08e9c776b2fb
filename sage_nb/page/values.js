// Values, live: the last ones as a table, with a small line for each column of numbers, or as a chart of lines or bars.
// It is painted at most once in an animation frame, and only while somebody can see it.

import { ChartPainter, nearestIn } from "./chart_painter.js";
import { Commands } from "./commands.js";
import { counted, html, mark, numbered, printable, say } from "./elements.js";
import { heading, renew } from "./forms.js";
import { Theme } from "./theme.js";
import { Visibility } from "./visibility.js";
import { WhereFrom } from "./where_from.js";

const ROW_PX = 22;
const MOST_ROWS = 12; // in sight at once; the others scroll
const CHART_PX = 260;
const HEAD_PX = 48; // of the table's own head, with a small line in it

let valueViews = 0;

export class Values {
  constructor(model, host) {
    this.model = model;
    this.host = host;
    this.name = `values-${++valueViews}-${Math.random().toString(36).slice(2, 10)}`;
    this.mounted = false;
    this.painting = 0;
    const title = printable(model.get("title"), 200);
    this.told = html("span", { class: "sn-hint" });
    this.commands = new Commands(model, this.name, () => this.soon());
    const shape = model.get("shape");
    this.part = shape === "table" ? new ValueTable(title, this.commands, () => this.soon()) : new ValueChart(title, shape);
    const head = html("div", { class: "sn-values-head" }, html("span", { class: "sn-heading" }, title), this.told);
    this.root = html("div", { class: "sage-nb-view sn-alone sn-values" }, head, this.part.element);
    host.classList.add("sage-nb-host");
    host.append(this.root);
    this.heard = () => this.soon();
    model.on("change:values", this.heard);
    this.visibility = new Visibility(this.root, (seen) => this.mount(seen));
    this.resized = new ResizeObserver(() => this.soon());
    this.resized.observe(this.root);
    this.theme = new Theme(this.root, () => this.soon());
    this.mount(true);
    this.soon();
  }

  /** The kernel looks at the values, and taps the task, only while somebody sees them. */
  mount(seen) {
    if (seen === this.mounted) return;
    this.mounted = seen;
    this.model.send({ cmd: seen ? "mount" : "unmount", args: { view: this.name }, id: `${this.name}-${seen}` });
    if (seen) this.soon();
  }

  soon() {
    if (this.mounted && this.painting === 0) this.painting = requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.painting = 0;
    const text = this.model.get("values");
    if (text !== this.text) {
      this.text = text;
      this.values = JSON.parse(text || "{}");
    }
    const { total = 0 } = this.values;
    const shown = this.part.show(this.values);
    const what = total === 0 ? "no value yet" : numbered(total, "value");
    say(this.told, [what, ...(shown ? [shown] : [])].join(" · "));
  }

  close() {
    cancelAnimationFrame(this.painting);
    this.visibility.close();
    this.resized.disconnect();
    this.theme.close();
    this.model.off("change:values", this.heard);
    this.commands.close();
    this.mount(false);
    this.root.remove();
    this.host.classList.remove("sage-nb-host");
  }
}

/** Only the rows in sight are elements. At its end it follows what comes. Of a row it says where its value comes from. */
class ValueTable {
  constructor(title, commands, paint) {
    this.commands = commands;
    this.from = new WhereFrom(
      (args) => commands.order("light", args),
      (origin) => origin === null && commands.order("light"),
      paint,
    );
    this.at = 0; // the number of the row that the keyboard is at
    this.columns = html("tr");
    this.body = html("tbody");
    const table = html("table", { class: "sn-value-table" }, html("thead", {}, this.columns), this.body);
    const props = { class: "sn-value-area", tabindex: "0", role: "region", "aria-label": `Values: ${title}` };
    const heard = { onscroll: () => this.scrolled(), onkeydown: (event) => this.key(event) };
    this.area = html("div", { ...props, ...heard }, table);
    this.origin = html("div", { class: "sn-value-origin", role: "status" });
    this.element = html("div", {}, this.area, this.origin);
    this.follows = true;
  }

  show({ columns = [], rows = [], total = 0, explained = false }) {
    this.rows = rows;
    this.explained = explained;
    this.first = total - rows.length + 1;
    if (this.from.found !== null && this.from.found.key >= this.first + rows.length) this.from.forget(); // a new run
    this.area.style.height = `${(Math.min(MOST_ROWS, Math.max(1, rows.length)) + 1) * ROW_PX + 30}px`;
    const names = columns.map(({ name, numbers }) => [name, numbers !== null]);
    const told = JSON.stringify(names);
    if (told !== this.names) this.head(names, told);
    columns.forEach(({ numbers }, place) => {
      if (numbers !== null) sparkline(this.lines[place], numbers);
    });
    this.numeric = columns.map(({ numbers }) => numbers !== null);
    this.fill();
    if (this.follows) this.area.scrollTop = this.area.scrollHeight;
    this.fill();
    this.tell();
    return rows.length < total ? `the last ${counted(rows.length)}` : "";
  }

  head(names, told) {
    this.names = told;
    this.lines = names.map(([, numeric]) => (numeric ? html("canvas", { class: "sn-spark", "aria-hidden": "true" }) : null));
    const cells = names.map(([name, numeric], place) =>
      html("th", { scope: "col", class: numeric ? "sn-number" : null }, printable(name, 60), this.lines[place]),
    );
    this.columns.replaceChildren(html("th", { scope: "col", class: "sn-number" }, "#"), ...cells);
  }

  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.area;
    this.follows = scrollTop + clientHeight >= scrollHeight - ROW_PX;
    this.fill();
  }

  fill() {
    const { rows, area } = this;
    const from = Math.max(0, Math.min(rows.length - MOST_ROWS - 4, Math.floor(area.scrollTop / ROW_PX) - 2));
    const shown = rows.slice(from, from + MOST_ROWS + 6);
    const wide = this.numeric.length + 1;
    const gap = (height) => html("tr", { "aria-hidden": "true" }, html("td", { colspan: wide, style: `height: ${height}px` }));
    const last = this.first + from + shown.length - 1;
    const stop = this.at >= this.first + from && this.at <= last ? this.at : last; // of the keyboard
    const lines = shown.map((cells, place) =>
      html(
        "tr",
        this.way(this.first + from + place),
        html("td", { class: "sn-number sn-faint-text" }, this.number(this.first + from + place, stop)),
        ...cells.map((cell, at) => html("td", { class: this.numeric[at] ? "sn-number" : null }, printable(cell, 80))),
      ),
    );
    const after = rows.length - from - shown.length;
    if (from > 0) lines.unshift(gap(from * ROW_PX));
    if (after > 0) lines.push(gap(after * ROW_PX));
    const focused = this.body.contains(this.body.getRootNode().activeElement);
    this.body.replaceChildren(...lines);
    if (focused) this.focus(stop);
  }

  /** What makes a row one that can be asked about. */
  way(number) {
    if (!this.explained) return {};
    return { "data-asks": "yes", "data-chosen": this.from.is(number) ? "yes" : null, onclick: () => this.explain(number) };
  }

  /** The number of a row: a button, where there is something to be asked. */
  number(number, stop) {
    if (!this.explained) return counted(number);
    const props = { type: "button", class: "sn-link", "data-number": number, tabindex: number === stop ? "0" : "-1" };
    const label = `Where value ${counted(number)} comes from`;
    const button = html("button", { ...props, "aria-label": label, onfocus: () => (this.at = number) }, counted(number));
    this.from.press(button, number);
    return button;
  }

  async explain(number) {
    this.at = number;
    await this.from.toggle(number, { index: number - 1 });
    this.focus(number);
  }

  focus(number) {
    this.body.querySelector(`[data-number="${number}"]`)?.focus({ preventScroll: true });
  }

  /** From row to row, once the keyboard is at one. */
  key(event) {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (by === undefined || !this.body.contains(event.target)) return;
    event.preventDefault();
    event.stopPropagation();
    this.at = Math.max(this.first, Math.min(this.first + this.rows.length - 1, this.at + by));
    const top = (this.at - this.first) * ROW_PX;
    const inSight = this.area.clientHeight - HEAD_PX;
    const { scrollTop } = this.area;
    if (top < scrollTop) this.area.scrollTop = top;
    else if (top + ROW_PX > scrollTop + inSight) this.area.scrollTop = top + ROW_PX - inSight;
    this.fill();
    this.focus(this.at);
  }

  /** The tree of what is asked about, or why there is none. */
  tell() {
    const { note } = this.commands;
    const refused = note.kind === "refused" ? note.text : "";
    const { found } = this.from;
    renew(this.origin, [found, refused], () => {
      if (found !== null) return [heading(`Where value ${counted(found.key)} comes from`), this.from.told(found.key)];
      return refused === "" ? [] : html("p", { class: "sn-hint" }, printable(refused, 300));
    });
  }
}

/** A small line of numbers; where there is none, it is broken. */
function sparkline(canvas, numbers) {
  const [width, height] = [84, 18];
  const ratio = window.devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const known = numbers.filter((number) => number !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const brush = canvas.getContext("2d");
  brush.scale(ratio, ratio);
  brush.strokeStyle = getComputedStyle(canvas).color;
  brush.lineWidth = 1.2;
  brush.beginPath();
  let pen = false;
  numbers.forEach((number, place) => {
    if (number === null) {
      pen = false;
      return;
    }
    const x = 1 + (place / Math.max(1, numbers.length - 1)) * (width - 2);
    const y = high > low ? 2 + (1 - (number - low) / (high - low)) * (height - 4) : height / 2;
    if (pen) brush.lineTo(x, y);
    else brush.moveTo(x, y);
    pen = true;
  });
  brush.stroke();
}

/** A canvas, and what is at the pointer or the cursor as text. */
class ValueChart {
  constructor(title, shape) {
    this.title = title;
    this.shape = shape;
    this.at = null; // where the reader points, in px
    this.canvas = html("canvas", {
      class: "sn-chart-canvas",
      role: "img",
      tabindex: "0",
      onpointermove: (event) => this.point(event.offsetX),
      onpointerleave: () => this.point(null),
      onkeydown: (event) => this.key(event),
      onblur: () => this.point(null),
    });
    this.readout = html("p", { class: "sn-hint sn-readout", "aria-live": "polite" });
    this.element = html("div", { class: "sn-chart" }, this.canvas, this.readout);
    this.painter = new ChartPainter(this.canvas);
    this.values = { series: [], x: "", y: "" };
  }

  show(values) {
    this.values = values;
    this.paint();
    const { left_out: left = 0, more = 0 } = values;
    const parts = [];
    if (left > 0) parts.push(`${counted(left)} without a number left out`);
    if (more > 0) parts.push(`${numbered(more, "more line")} left out`);
    return parts.join(" · ");
  }

  paint() {
    const { series = [], x = "", y = "" } = this.values;
    const width = this.element.clientWidth;
    if (width <= 0) return;
    this.painter.paint({ series, x, y, width, height: CHART_PX, at: this.at, bars: this.shape === "bars" });
    const lasts = series.map(({ name, y: ups }) => `${name || y}: ${figureText(ups.at(-1))}`);
    const words = this.shape === "bars" ? `${this.title}, the last ${y} of each` : `${this.title}, ${y} over ${x}`;
    mark(this.canvas, "aria-label", printable([words, ...(lasts.length > 0 ? lasts : ["no values"])].join("; "), 600));
    say(this.readout, this.at === null ? "" : printable(this.read(), 400));
  }

  /** What is there, where the reader points. */
  read() {
    const { series = [], x } = this.values;
    if (series.length === 0) return "";
    if (this.shape === "bars") {
      const one = series[this.painter.barAt(this.at)];
      return one === undefined ? "" : `${one.name}: ${figureText(one.y.at(-1))}`;
    }
    const along = this.painter.valueAt(this.at);
    const found = series.map((each) => [each, nearestIn(each.x, along)]);
    const [nearest, place] = found.reduce((one, other) =>
      Math.abs(other[0].x[other[1]] - along) < Math.abs(one[0].x[one[1]] - along) ? other : one,
    );
    const parts = found.map(([each, at]) => `${each.name || this.values.y} ${figureText(each.y[at])}`);
    return [`${x} ${figureText(nearest.x[place])}`, ...parts].join(" · ");
  }

  point(at) {
    this.at = at;
    this.paint();
  }

  key(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape" && this.at !== null) this.point(null);
    else if (by === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    else this.point(this.painter.next(this.at, by));
    event.preventDefault();
    event.stopPropagation();
  }
}

/** A number as it is read: of at most six figures. */
export function figureText(number) {
  if (number === undefined || number === null) return "";
  return Number.isInteger(number) && Math.abs(number) < 1e9 ? counted(number) : String(Number(number.toPrecision(6)));
}
