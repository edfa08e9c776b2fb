// The job's controls, how it stands in words, and the line of Python that does what was last done by hand.

import { askWords } from "./asks.js";
import { Control, copyText } from "./controls.js";
import { counted, html, mark, numbered, printable, printableLines, say } from "./elements.js";
import { button, icon } from "./icons.js";
import { reasonFor } from "./reasons.js";
import { Turns } from "./turns.js";

// Control, word, glyph, command, its arguments, and what it does.
const CONTROLS = [
  ["run", "Run", "play", "run", () => ({}), "start the job; once it has ended, start it again"],
  ["start_paused", "Start paused", "startPaused", "start_paused", () => ({}), "start with every gate closed"],
  ["pause", "Pause", "pause", "pause", () => ({ name: "" }), "hold every task between two packets"],
  ["resume", "Resume", "resume", "resume", () => ({ name: "" }), "let everything go on"],
  ["back", "Back", "back", "back", () => ({}), "take back the last step or change by hand (,)"],
  ["step", "Step", "step", "step", () => ({ name: "" }), "one turn of one paused task"],
  [
    "step_task",
    "Step task",
    "stepTask",
    "step",
    (store) => ({ name: store.row.name }),
    "one turn of the selected task (.)",
  ],
  ["stop", "Stop", "square", "stop", () => ({}), "end the sources and process what is in flight"],
  ["cancel", "Cancel", "cross", "cancel", () => ({}), "end at once; what is in flight is dropped and counted"],
];

const JOB_GLYPHS = new Map([
  ["new", ["dot", "new"]],
  ["running", ["play", "running"]],
  ["draining", ["hourglass", "waiting"]],
  ["completed", ["check", "ended"]],
  ["stopped", ["check", "ended"]],
  ["failed", ["cross", "failed"]],
  ["cancelled", ["slashed", "cancelled"]],
]);

/** `running · 8,759 in · 365 out · 2 errors` */
export function statusText(frame) {
  const { made, done, errors, skipped } = frame.counts;
  const held = { none: "", some: ", some tasks paused", all: ", paused" }[frame.holding] ?? "";
  const parts = [frame.state === "running" && frame.holding === "all" ? "paused" : `${frame.state}${held}`];
  if (frame.state !== "new") parts.push(`${counted(made)} in`, `${counted(done)} out`);
  if (errors > 0) parts.push(numbered(errors, "error"));
  if (skipped > 0) parts.push(`${counted(skipped)} skipped`);
  parts.push(...askWords(frame.asks));
  if (frame.waited && frame.holding !== "none") parts.push("a cell waits until it goes on and ends");
  if (frame.closed) parts.push("closed");
  return parts.join(" · ");
}

/** `step(...)`: what both the toolbar and a key do; what it took and what it sent are looked at. */
export async function stepped(store, commands, name) {
  const ack = await commands.order("step", { name });
  if (ack.ok && ack.result) {
    const index = store.indexOf(ack.result.task);
    if (index >= 0 && name === "") store.select(index);
    const { packet, sent } = ack.result;
    if (packet || sent?.length > 0) store.look(packet ?? null, ack.result);
  }
}

export class Toolbar {
  constructor(store, commands, { choice }) {
    this.store = store;
    this.commands = commands;
    this.controls = CONTROLS.map(([name, word, glyph, cmd, args, hint]) => {
      const act = () =>
        cmd === "step" ? stepped(store, commands, args(store).name) : commands.order(cmd, args(store));
      return new Control(word, glyph, {
        why: () => reasonFor(name, store),
        act,
        wait: () => commands.waits(cmd),
        hint,
      });
    });
    const bar = html(
      "div",
      { class: "sn-buttons", role: "toolbar", "aria-label": "Job", onkeydown: (event) => this.walk(event) },
      ...this.controls.map((control) => control.element),
    );
    this.controls.forEach(({ button }, place) => (button.tabIndex = place === 0 ? 0 : -1));
    this.glyph = html("span", { class: "sn-status-glyph" });
    this.status = html("span", { class: "sn-status-text" });
    this.name = html("span", { class: "sn-job-name sn-quoted" });
    this.element = html(
      "div",
      { class: "sn-toolbar" },
      bar,
      html("div", { class: "sn-status" }, this.name, this.glyph, this.status),
      (this.turns = new Turns(store, commands)).element,
      choice ? this.choose() : null,
    );
    store.on("plan frame select commands", () => this.paint());
    if (choice) {
      this.reshow = () => this.paintChoice();
      store.model.on("change:shown", this.reshow);
    }
    this.paint();
  }

  /** Arrow keys go from button to button: the toolbar is one stop of the tab key. */
  walk(event) {
    const buttons = this.controls.map((control) => control.button);
    const place = buttons.indexOf(event.target);
    const next = {
      ...{ ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: buttons.length - 1 },
    }[event.key];
    if (place < 0 || next === undefined) return;
    event.preventDefault();
    const target = buttons[(next + buttons.length) % buttons.length];
    buttons.forEach((each) => (each.tabIndex = each === target ? 0 : -1));
    target.focus();
  }

  choose() {
    const set = (value) => () => {
      this.store.model.set("shown", value);
      this.store.model.save_changes();
    };
    this.choices = { graph: button("Graph", null, set("graph")), table: button("Table", null, set("table")) };
    return html("div", { class: "sn-choice", role: "group", "aria-label": "Show as" }, ...Object.values(this.choices));
  }

  paintChoice() {
    for (const [name, each] of Object.entries(this.choices ?? {})) {
      mark(each, "aria-pressed", String((this.store.model.get("shown") === "table") === (name === "table")));
    }
  }

  paint() {
    const { frame } = this.store;
    for (const control of this.controls) control.refresh();
    this.turns.paint();
    this.element.classList.toggle("sn-has-turns", !this.turns.element.hidden);
    if (say(this.name, printable(this.store.plan.name, 60))) mark(this.name, "title", printable(this.store.plan.name));
    const words = printable(`${this.store.gone ? "last seen: " : ""}${statusText(frame)}`);
    if (say(this.status, words)) mark(this.status, "title", words); // it may be cut
    const [glyph, look] =
      frame.holding === "all" ? ["pause", "paused"] : (JOB_GLYPHS.get(frame.state) ?? ["dot", "new"]);
    if (this.shownGlyph !== glyph) {
      this.shownGlyph = glyph;
      this.glyph.replaceChildren(icon(glyph, `sn-is-${look}`));
    }
    this.paintChoice();
  }

  close() {
    if (this.reshow) this.store.model.off("change:shown", this.reshow);
  }
}

/** What came of the last command, and the Python that does the same, to be copied. */
export class PythonLine {
  constructor(store, commands) {
    this.commands = commands;
    this.note = html("span", { class: "sn-note", role: "status" });
    this.code = html("code", { class: "sn-python sn-quoted" });
    this.one = button("Copy as cell", "copy", () => this.copy(this.commands.lines.at(-1)));
    this.all = button("Copy all", "copy", () => this.copy(this.commands.lines.join("\n")));
    this.test = button("Copy as test", "copy", () => this.copyTest());
    this.right = html("span", { class: "sn-python-line" }, this.code, this.one, this.all, this.test);
    this.element = html("div", { class: "sn-feedback" }, this.note, this.right);
    store.on("commands", () => this.paint());
    this.paint();
  }

  async copy(text) {
    const copied = await copyText(text);
    this.commands.noted(
      copied ? "copied: paste it into a cell" : "the browser did not allow to copy",
      copied ? "done" : "refused",
    );
  }

  /** All that was done by hand since the start, as a test that passes. */
  async copyTest() {
    const ack = await this.commands.ask("as_test");
    if (ack.ok) await this.copy(ack.result.text);
    else this.commands.noted(ack.reason, "refused");
  }

  paint() {
    const { note, lines } = this.commands;
    say(this.note, printable(note.text, 300));
    mark(this.note, "title", note.text.length > 80 ? printableLines(note.text, 2_000) : null);
    mark(this.note, "data-kind", note.kind || null);
    this.element.hidden = note.text === "" && lines.length === 0;
    this.right.hidden = lines.length === 0;
    if (lines.length > 0) {
      say(this.code, printable(lines.at(-1), 300));
      mark(this.code, "title", printableLines(lines.at(-1), 2_000));
      say(this.all.lastChild, `Copy all ${counted(lines.length)}`);
      this.all.hidden = lines.length < 2;
    }
  }
}
