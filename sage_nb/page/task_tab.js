// A task: its facts, its own pause and step, breakpoints, how its time was spent, latency, and what it remembers.

import { Control } from "./controls.js";
import { counted, html, mark, milliseconds, numbered, printable, quoted, say, seconds } from "./elements.js";
import { actions, factList, group, heading, labelled, reading, renew, textField } from "./forms.js";
import { button } from "./icons.js";
import { Throttle } from "./throttle.js";
import { reasonFor } from "./reasons.js";
import { hasEnded, STATES } from "./states.js";
import { stepped } from "./toolbar.js";

const CARD_MS = 1_000;
const BOUNDS_MS = ["0.01", "0.03", "0.1", "0.3", "1", "3", "10", "30", "100", "300", "1,000", "3,000", "10,000"];
const LOOKS = new Map(Object.values(STATES).map(({ word, look }) => [word, look]));

export class TaskTab {
  constructor(store, commands, inspector) {
    Object.assign(this, { store, commands, inspector });
    this.card = null;
    this.points = [];
    this.state = null;
    this.throttle = new Throttle(CARD_MS, () => this.fetch());
    this.build();
  }

  build() {
    const { store, commands } = this;
    const name = () => ({ name: store.row.name });
    const control = (word, glyph, rule, act, more = {}) =>
      new Control(word, glyph, { why: () => reasonFor(rule, store), act, ...more });
    const add = (event) => {
      event.preventDefault();
      this.controls.point.refresh();
      if (this.controls.point.reason === "") this.addPoint();
      else commands.noted(this.controls.point.reason, "refused");
    };
    this.controls = {
      pause: control("Pause", "pause", "pause_task", () => commands.order("pause", name()), {
        wait: () => commands.waits("pause"),
      }),
      resume: control("Resume", "resume", "resume_task", () => commands.order("resume", name()), {
        wait: () => commands.waits("resume"),
      }),
      step: control("Step", "step", "step_task", () => stepped(store, commands, store.row.name), {
        wait: () => commands.waits("step"),
      }),
      point: control("Add", "plus", "breakpoint", () => {}, { wait: () => commands.waits("breakpoint") }),
      measure: control("Measure", null, "measure", () => this.measure(), {
        wait: () => commands.waits("measure"),
        hint: "takes the time of every packet: costs a little while it is on",
      }),
      profile: control("Profile", null, "profile", () => this.lookInto(), {
        wait: () => commands.waits("profile"),
        hint: "looks for two seconds at which lines it works",
      }),
      state: control("Show state", null, "state", () => this.showState(), { wait: () => commands.waits("state") }),
    };
    const { pause, resume, step, point, measure, profile, state } = this.controls;
    point.button.type = "submit";
    this.when = textField({ class: "sn-input sn-code", placeholder: "value > 3 (empty: every packet)" });
    const parts = ["facts", "producers", "pointList", "split", "hottest", "latency", "stateTable", "error"];
    for (const part of parts) this[part] = html("div");
    this.nothing = html("p", { class: "sn-hint" }, "Select a task in the graph or in the table.");
    const form = html(
      "form",
      { class: "sn-inject", onsubmit: add },
      labelled("Pause the job before a packet with", this.when),
      point.element,
    );
    this.groups = html(
      "div",
      { class: "sn-groups" },
      group(actions(pause, resume, step), this.facts, this.error, this.producers),
      group(
        html("div", { class: "sn-heading-line" }, heading("Time"), profile.element),
        this.split,
        this.hottest,
        html("div", { class: "sn-heading-line" }, heading("Latency"), measure.element),
        this.latency,
      ),
      group(
        heading("Breakpoints"),
        form,
        this.pointList,
        html("div", { class: "sn-heading-line" }, heading("State"), state.element),
        this.stateTable,
      ),
    );
    this.element = html("div", {}, this.nothing, this.groups);
  }

  refresh() {
    this.paint();
    this.fetch();
    if (!this.asked) {
      this.asked = true;
      this.commands.ask("breakpoints").then((ack) => this.pointed(ack));
    }
  }

  async fetch() {
    const { row } = this.store;
    if (row === null) return;
    const ack = await this.commands.ask("task", { task: row.name });
    if (!ack.ok || this.store.row?.name !== row.name) return;
    this.card = ack.result ?? null;
    this.paint();
  }

  async addPoint() {
    const ack = await this.commands.order("breakpoint", { task: this.store.row.name, when: this.when.value });
    if (ack.ok) this.when.value = "";
    this.pointed(ack);
  }

  pointed(ack) {
    if (!ack.ok) return;
    const { result } = ack;
    this.points = Array.isArray(result) ? result : (result?.breakpoints ?? []);
    this.paint();
  }

  async measure() {
    await this.commands.order("measure", { task: this.store.row.name, on: !this.card?.measuring });
    this.fetch();
  }

  async lookInto() {
    const task = this.store.row.name;
    const ack = await this.commands.order("profile", { task });
    if (ack.ok) this.found = { ...ack.result, task };
    this.paint();
  }

  async showState() {
    const task = this.store.row.name;
    const ack = await this.commands.order("state", { task });
    if (ack.ok) this.state = { task, ...ack.result };
    this.paint();
  }

  paint() {
    const { store } = this;
    const { row, frame, selected } = store;
    const card = row !== null && this.card?.task === row.name ? this.card : null;
    this.nothing.hidden = row !== null;
    this.groups.hidden = row === null;
    for (const control of Object.values(this.controls)) control.refresh();
    say(this.controls.measure.button.lastChild, card?.measuring ? "Stop measuring" : "Measure");
    mark(this.controls.measure.button, "aria-pressed", String(card?.measuring === true));
    renew(this.facts, [row?.name, card?.facts], () => this.factsOf(row, card));
    renew(this.producers, [card?.producers], () => this.producersOf(card));
    renew(this.error, [card?.last_error], () =>
      card?.last_error ? [heading("Last error"), reading(card.last_error, "Last error")] : [],
    );
    renew(this.split, [card?.split, card?.on_processor, card?.together], () => this.splitOf(card));
    const found = this.found?.task === row?.name ? this.found : null;
    renew(this.hottest, [found], () => hottestOf(found));
    renew(this.latency, [card?.latency, card?.measuring], () => this.latencyOf(card));
    renew(this.pointList, [this.points], () => this.pointsOf());
    const state = this.state?.task === row?.name ? this.state : null;
    renew(this.stateTable, [state], () => this.stateOf(state));
    const hits = `${frame.breakpoints} ${frame.hits}`;
    if (hits !== this.hits && this.asked) this.commands.ask("breakpoints").then((ack) => this.pointed(ack));
    this.hits = hits;
    const still =
      frame.number === this.number ||
      (row !== null && hasEnded(frame.states[selected]) && card !== null && this.over === row.name);
    if (row !== null && !still && store.visible) this.throttle.soon();
    this.number = frame.number;
    this.over = row !== null && hasEnded(frame.states[selected]) ? row.name : "";
  }

  factsOf(row, card) {
    if (row === null) return [];
    return factList(card === null ? [["Kind", row.kind]] : card.facts);
  }

  producersOf(card) {
    if (!card?.producers?.length) return [];
    const lines = card.producers.map(([name, ended, waiting]) =>
      html(
        "tr",
        {},
        html("th", { scope: "row" }, name === "hand" ? "your hand" : quoted(name, { limit: 40 })),
        html("td", {}, name === "hand" && ended === null ? "" : printable(ended ?? "not ended", 40)),
        html("td", { class: "sn-number" }, counted(waiting)),
      ),
    );
    const heads = ["Producer", "Stop signal", "Waiting"].map((word, place) =>
      html("th", { scope: "col", class: place === 2 ? "sn-number" : "" }, word),
    );
    return html(
      "table",
      { class: "sn-small-table" },
      html("thead", {}, html("tr", {}, ...heads)),
      html("tbody", {}, ...lines),
    );
  }

  /** Which share of its time it was at work or waited for what, as a bar and in words. */
  splitOf(card) {
    const split = (card?.split ?? []).filter(([, share]) => share > 0);
    if (split.length === 0) return html("p", { class: "sn-hint" }, "It has not begun.");
    const bar = html("span", { class: "sn-split", "aria-hidden": "true" });
    const words = html("ul", { class: "sn-split-words" });
    for (const [state, share] of split) {
      const look = state === "busy" ? "running" : (LOOKS.get(state) ?? "new");
      const piece = html("span", { class: "sn-split-piece", "data-look": look });
      piece.style.flexGrow = String(Math.max(0, Number(share) || 0));
      bar.append(piece);
      const percent = share > 0.995 && share < 1 ? ">99" : share < 0.005 ? "<1" : (100 * share).toFixed(0);
      words.append(
        html("li", {}, html("span", { class: "sn-swatch", "data-look": look }), `${printable(state, 30)} ${percent} %`),
      );
    }
    const notes = [`of ${seconds(card.lasted_s)} since it began`];
    if (card.per_s > 0) notes.push(`${counted(Math.round(card.per_s))} packets/s`);
    if (card.on_processor !== null) notes.push(`${(100 * card.on_processor).toFixed(0)} % of its work on the processor`);
    const shared = card.together.length > 0 ? `One thread works it and ${listed(card.together)}: its share of that.` : "";
    return [bar, words, html("p", { class: "sn-hint" }, notes.join(" · ")), html("p", { class: "sn-hint" }, shared)];
  }

  latencyOf(card) {
    const latency = card?.latency;
    if (!latency || latency.count === 0) {
      return html(
        "p",
        { class: "sn-hint" },
        card?.measuring
          ? "Measuring: no packet yet."
          : "Not measured. While it is on, each packet's time is taken, which costs a little.",
      );
    }
    const most = Math.max(1, ...latency.buckets);
    const bars = latency.buckets.map((count, place) => {
      const bar = html("span", { class: "sn-histogram-bar" });
      bar.style.height = `${count > 0 ? Math.max(4, (100 * count) / most) : 0}%`;
      const bound = BOUNDS_MS[place] === undefined ? `over ${BOUNDS_MS.at(-1)} ms` : `up to ${BOUNDS_MS[place]} ms`;
      return html("span", { class: "sn-histogram-place", title: `${bound}: ${counted(count)}` }, bar);
    });
    const words = latency.buckets.map((count, place) =>
      count > 0 ? `${BOUNDS_MS[place] ? `up to ${BOUNDS_MS[place]}` : "over 10,000"} ms: ${counted(count)}` : null,
    );
    const label = `Histogram of latency, ${words.filter((each) => each !== null).join(", ")}`;
    const scale = html(
      "div",
      { class: "sn-histogram-scale", "aria-hidden": "true" },
      html("span", {}, "0.01 ms"),
      html("span", {}, "1 ms"),
      html("span", {}, "10 s"),
    );
    return [
      factList([
        ["Median", milliseconds(latency.p50_ms)],
        ["95 %", milliseconds(latency.p95_ms)],
        ["Packets", counted(latency.count)],
      ]),
      html("div", { class: "sn-histogram", role: "img", "aria-label": label }, ...bars),
      scale,
    ];
  }

  pointsOf() {
    if (this.points.length === 0) return [];
    const line = (point) => {
      const remove = async () => this.pointed(await this.commands.order("remove_breakpoint", { id: point.id }));
      const condition = point.when ? [" when ", quoted(point.when, { limit: 80, look: "sn-code" })] : [" any packet"];
      const gone = button("Remove", "cross", remove, { bare: true });
      return html(
        "li",
        {},
        html("span", { class: "sn-point-text" }, quoted(point.task, { limit: 40 }), ...condition),
        html("span", { class: "sn-faint-text" }, numbered(point.hits, "hit")),
        gone,
        point.text ? html("div", { class: "sn-hint" }, quoted(point.text, { limit: 200 })) : null,
      );
    };
    return html("ul", { class: "sn-points" }, ...this.points.map(line));
  }

  stateOf(state) {
    if (state === null) return [];
    if (state.total === 0) return html("p", { class: "sn-hint" }, "It remembers nothing.");
    const lines = state.rows.map(([key, value]) =>
      html(
        "tr",
        {},
        html("th", { scope: "row" }, quoted(key, { limit: 60 })),
        html("td", {}, quoted(value, { limit: 120, look: "sn-code" })),
      ),
    );
    const heads = html("tr", {}, html("th", { scope: "col" }, "Key"), html("th", { scope: "col" }, "Value"));
    const note =
      state.total > state.rows.length
        ? html("p", { class: "sn-hint" }, `showing ${counted(state.rows.length)} of ${counted(state.total)}`)
        : null;
    return [html("table", { class: "sn-small-table" }, html("thead", {}, heads), html("tbody", {}, ...lines)), note];
  }

  close() {
    this.throttle.close();
  }
}

/** The lines at which a task was found most often, as a table. */
function hottestOf(found) {
  if (!found) return [];
  const looks = `${numbered(found.looks, "look")}, idle in ${(100 * found.idle).toFixed(0)} % of them`;
  const note = html("p", { class: "sn-hint" }, looks);
  const lines = (found.lines ?? []).map(([share, name, place, text]) =>
    html(
      "tr",
      { title: printable(text, 300) || null },
      html("td", { class: "sn-number" }, `${(100 * share).toFixed(0)} %`),
      html("th", { scope: "row" }, quoted(name, { limit: 40 })),
      html("td", {}, quoted(place, { limit: 40, look: "sn-code" })),
    ),
  );
  if (lines.length === 0) return note;
  return [html("table", { class: "sn-small-table sn-hottest", "aria-label": "Hottest lines" }, html("tbody", {}, ...lines)), note];
}

/** The first of these names. */
function listed(names, most = 3) {
  const shown = names.slice(0, most).map((name) => printable(name, 40));
  return names.length > most ? `${shown.join(", ")} and ${counted(names.length - most)} more` : shown.join(", ");
}
