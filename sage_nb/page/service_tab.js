// A service: a form made from a method's signature, the call, and its result or error.

import { callsText, perSecond } from "./call_lines.js";
import { Control } from "./controls.js";
import { html, numbered, printable, printableLines, say } from "./elements.js";
import { fieldOf } from "./form_field.js";
import { factList, group, heading, labelled, reading, renew } from "./forms.js";
import { reasonFor } from "./reasons.js";

const MOST_CALLERS = 20;

export class ServiceTab {
  constructor(store, commands, inspector) {
    Object.assign(this, { store, commands, inspector });
    this.forms = new Map(); // by the service's name; of one plan
    this.answer = null;
    this.method = html("select", { class: "sn-input", onchange: () => this.chosen() });
    this.doc = html("p", { class: "sn-hint sn-quoted-lines" });
    this.note = html("p", { class: "sn-hint" });
    this.fields = html("div", { class: "sn-form-fields" });
    this.call = new Control("Call", "play", {
      why: () => this.why(),
      act: () => {},
      wait: () => commands.waits("call"),
    });
    this.call.button.type = "submit";
    const submit = (event) => {
      event.preventDefault();
      this.send();
    };
    this.form = html(
      "form",
      { onsubmit: submit },
      labelled("Method", this.method),
      this.doc,
      this.fields,
      this.call.element,
    );
    this.result = html("div", { class: "sn-result", "aria-live": "polite" });
    this.service = html("p", { class: "sn-heading" });
    this.callers = html("div", { class: "sn-callers" });
    this.element = html(
      "div",
      { class: "sn-groups" },
      group(this.service, this.note, this.form),
      group(this.result),
      group(this.callers),
    );
    store.on("plan", () => this.forms.clear());
  }

  /** The service that is selected, or else the first one there is. */
  get name() {
    const { store } = this;
    if (store.selected >= 0 && store.isService(store.selected)) return store.row.name;
    const index = store.plan.rows.findIndex((_, place) => store.isService(place));
    return index < 0 ? null : store.plan.rows[index].name;
  }

  why() {
    return this.name === null ? "this graph has no service" : reasonFor("call", this.store);
  }

  refresh() {
    this.paint();
    const { name } = this;
    if (name !== null && !this.forms.has(name) && !this.store.frame.closed) this.fetch(name);
  }

  async fetch(name) {
    const ack = await this.commands.ask("form", { service: name });
    if (ack.ok && ack.result) this.forms.set(name, ack.result);
    else this.forms.set(name, { service: name, methods: [], note: ack.reason || "no form could be made" });
    this.paint();
  }

  paint() {
    const { name } = this;
    const form = name === null ? null : (this.forms.get(name) ?? null);
    say(this.service, name === null ? "This graph has no service." : printable(name, 60));
    say(this.note, printable(form?.note ?? "", 500));
    this.form.hidden = form === null || form.methods.length === 0;
    renew(this.method, [name, form], () =>
      (form?.methods ?? []).map((method, at) => html("option", { value: at }, printable(method.name, 60))),
    );
    const method = form?.methods[Number(this.method.value || 0)] ?? null;
    say(this.doc, printableLines(method?.doc ?? "", 1_000));
    renew(this.fields, [name, method], () => this.inputs(method));
    this.call.refresh();
    const answer = this.answer?.service === name ? this.answer : null;
    renew(this.result, answer, () => (answer === null ? [] : this.answered(answer)));
    this.paintCallers(name);
  }

  /** Who has called it, the most frequent first. */
  paintCallers(name) {
    const { plan, shown } = this.store;
    const index = plan.rows.findIndex((row) => row.name === name);
    const cards = (shown.calls ?? []).filter(({ service }) => service === index);
    cards.sort((one, other) => other.calls - one.calls || one.caller - other.caller);
    const rows = cards.slice(0, MOST_CALLERS).map(({ caller, calls, per_s }) => {
      const who = plan.rows[caller]?.name ?? "the hand, from outside";
      return [who, per_s > 0 ? `${callsText(calls)}, ${perSecond(per_s)}` : callsText(calls)];
    });
    const more = cards.length - rows.length;
    renew(this.callers, [name, rows.flat().join("\n"), more], () => {
      if (name === null) return [];
      if (rows.length === 0) return [heading("Callers"), html("p", { class: "sn-hint" }, "nobody has called it yet")];
      const rest = more > 0 ? html("p", { class: "sn-hint" }, `and ${numbered(more, "other")}`) : null;
      return [heading("Callers"), factList(rows), rest];
    });
  }

  /** Another method: what the one before has answered says nothing of it. */
  chosen() {
    this.answer = null;
    this.paint();
  }

  inputs(method) {
    this.given = (method?.fields ?? []).map(fieldOf);
    return this.given.map((each) => each.element);
  }

  async send() {
    this.call.refresh();
    if (this.call.reason !== "") {
      this.commands.noted(this.call.reason, "refused");
      return;
    }
    const service = this.name;
    const method = this.forms.get(service).methods[Number(this.method.value || 0)].name;
    const { given } = this;
    const values = Object.assign({}, ...given.map((each) => each.sent()));
    const ack = await this.commands.order("call", { service, method, values });
    if (this.given !== given) return; // another method's form is there by now
    const misfits = ack.ok ? {} : (ack.result?.fields ?? {});
    const wrong = given.filter((each) => each.refuseOf(misfits));
    wrong[0]?.focus();
    this.answer = { service, ok: ack.ok, reason: ack.reason, ...ack.result };
    this.paint();
  }

  answered({ ok, reason, text, kind, cut }) {
    if (!ok) return [heading("Error"), reading(reason, "Error of the call")];
    const left = cut > 0 ? html("p", { class: "sn-hint" }, `${numbered(cut, "character")} left out`) : null;
    return [heading(`Result · ${printable(kind, 60)}`), reading(text, "Result of the call"), left];
  }
}
