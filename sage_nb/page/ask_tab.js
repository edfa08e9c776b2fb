// An input that is asked: what with, the answer or why there is none, and what has been asked so far.

import { AskWatch } from "./ask_watch.js";
import { askFacts } from "./asks.js";
import { Control } from "./controls.js";
import { html, milliseconds, printable, quoted, say } from "./elements.js";
import { actions, factList, group, heading, reading, renew, textField, ValueField } from "./forms.js";
import { reasonFor } from "./reasons.js";

const HEADINGS = { reply: "Answer", replies: "Replies", "no reply": "No reply", error: "Error" };

export class AskTab {
  constructor(store, commands, inspector) {
    Object.assign(this, { store, commands, inspector });
    this.answer = null;
    this.input = html("p", { class: "sn-heading sn-quoted" });
    this.value = textField({ class: "sn-input sn-code", placeholder: "a Python literal, such as 3 or 'text'" });
    this.typed = new ValueField(store, "Ask with", this.value);
    this.many = html("input", { type: "checkbox", class: "sn-checkbox" });
    const all = html("label", { class: "sn-evaluate sn-hint" }, this.many, "all replies, not only the first");
    this.watch = new AskWatch(store, commands, {
      linkTo: (name) => this.linkTo(name),
      onOver: (answer) => this.answered(answer),
    });
    const why = () => this.why();
    this.controls = {
      ask: new Control("Ask", "play", { why, act: () => {}, wait: () => commands.waits("ask") }),
      watch: new Control("Watch it", "step", {
        why: () => why() || (this.watch.isUnderWay ? "one question is watched already" : ""),
        act: () => this.begin(),
        wait: () => commands.waits("watch_ask"),
        hint: "close the gates on its way, and see the packet go from box to box",
      }),
    };
    const { ask, watch } = this.controls;
    ask.button.type = "submit";
    const submit = (event) => {
      event.preventDefault();
      this.send();
    };
    this.form = html("form", { onsubmit: submit }, this.input, this.typed.element, all, actions(ask, watch));
    this.why_not = html("p", { class: "sn-hint" });
    this.result = html("div", { class: "sn-result", "aria-live": "polite" });
    this.facts = html("div");
    this.element = html(
      "div",
      { class: "sn-groups" },
      group(this.form, this.why_not, this.result),
      group(this.watch.element, this.facts),
    );
    store.on("plan", () => (this.answer = null));
  }

  /** The input that is selected; or what is watched, or the first that can be asked, or the first there is. */
  get row() {
    const { rows } = this.store.plan;
    const isInput = (row) => row?.asks !== undefined;
    const watched = this.watch.isUnderWay ? rows[this.store.indexOf(this.watch.card.input)] : null;
    const asked = rows.find((row) => row.asks === "");
    return [this.store.row, watched, asked, ...rows].find(isInput) ?? null;
  }

  why() {
    const { row } = this;
    return reasonFor("ask", this.store, { row, index: row === null ? -1 : this.store.indexOf(row.name) });
  }

  refresh() {
    this.paint();
  }

  /** What is asked, as a message has it. */
  asked() {
    const many = this.many.checked ? { many: true } : {};
    return { input: this.row.name, ...this.typed.value(), ...many };
  }

  async send() {
    this.controls.ask.refresh();
    if (this.controls.ask.reason !== "") {
      this.commands.noted(this.controls.ask.reason, "refused");
      return;
    }
    const ack = await this.commands.order("ask", this.asked());
    this.answered(ack.ok ? ack.result : errorOf(ack.reason));
  }

  async begin() {
    this.answered(null);
    const ack = await this.commands.order("watch_ask", this.asked());
    if (ack.ok) this.watch.begin(ack.result);
    else this.answered(errorOf(ack.reason));
    this.paint();
  }

  answered(answer) {
    this.answer = answer;
    this.paint();
  }

  linkTo(name) {
    const index = this.store.indexOf(name);
    if (index < 0) return quoted(name, { limit: 40 });
    const go = () => this.store.select(index);
    return html("button", { type: "button", class: "sn-link", onclick: go }, quoted(name, { limit: 40 }));
  }

  paint() {
    const { row } = this;
    this.form.hidden = row === null;
    say(this.input, row === null ? "" : printable(row.name, 60));
    for (const control of Object.values(this.controls)) control.refresh();
    say(this.why_not, printable(this.controls.ask.reason, 500));
    this.why_not.hidden = this.controls.ask.reason === "";
    renew(this.result, [this.answer], () => answerOf(this.answer));
    this.watch.paint();
    const facts = askFacts(this.store.frame.asks);
    renew(this.facts, facts.flat(), () => (facts.length === 0 ? [] : [heading("Questions"), factList(facts)]));
  }

  close() {
    this.watch.close();
  }
}

function errorOf(reason) {
  return { outcome: "error", text: reason, kind: "", took_ms: null, errors: [] };
}

function answerOf(answer) {
  if (!answer) return [];
  const { outcome, kind, text, errors } = answer;
  const took = answer.took_ms === null ? "" : milliseconds(answer.took_ms);
  const head = [HEADINGS[outcome], printable(kind, 60), took].filter((each) => each !== "").join(" · ");
  const skipped = errors.map((error) => html("li", {}, quoted(error, { limit: 200 })));
  return [
    heading(head),
    reading(text, HEADINGS[outcome]),
    skipped.length > 0 ? html("p", { class: "sn-hint" }, "Skipped on the way:") : null,
    skipped.length > 0 ? html("ul", { class: "sn-asked-errors" }, ...skipped) : null,
  ];
}
