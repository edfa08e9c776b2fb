// A service: a form made from a method's signature, the call, and its result or error.

import { Control } from "./controls.js";
import { html, mark, numbered, printable, printableLines, say } from "./elements.js";
import { group, heading, labelled, reading, renew, textField } from "./forms.js";
import { reasonFor } from "./reasons.js";

export class ServiceTab {
  constructor(store, desk, inspector) {
    Object.assign(this, { store, desk, inspector });
    this.forms = new Map(); // by the service's name; of one plan
    this.answer = null;
    this.method = html("select", { class: "sn-input", onchange: () => this.paint() });
    this.doc = html("p", { class: "sn-hint sn-quoted-lines" });
    this.note = html("p", { class: "sn-hint" });
    this.fields = html("div", { class: "sn-form-fields" });
    this.call = new Control("Call", "play", { why: () => this.why(), act: () => {}, wait: () => desk.waits("call") });
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
    this.element = html("div", { class: "sn-groups" }, group(this.service, this.note, this.form), group(this.result));
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
    const ack = await this.desk.ask("form", { service: name });
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
  }

  inputs(method) {
    this.given = (method?.fields ?? []).map((field) => ({ field, input: inputFor(field) }));
    return this.given.map(({ field, input }) => {
      return labelled(field.required ? field.name : `${field.name} (optional)`, input, field.hint);
    });
  }

  async send() {
    this.call.refresh();
    if (this.call.reason !== "") {
      this.desk.noted(this.call.reason, "refused");
      return;
    }
    const service = this.name;
    const method = this.forms.get(service).methods[Number(this.method.value || 0)].name;
    const values = {};
    for (const { field, input } of this.given) {
      if (field.kind === "checkbox") values[field.name] = input.checked;
      else if (field.required || input.value !== "") values[field.name] = input.value;
    }
    const ack = await this.desk.order("call", { service, method, values });
    this.answer = { service, ok: ack.ok, reason: ack.reason, ...ack.result };
    this.paint();
  }

  answered({ ok, reason, text, kind, cut }) {
    if (!ok) return [heading("Error"), reading(reason, "Error of the call")];
    const left = cut > 0 ? html("p", { class: "sn-hint" }, `${numbered(cut, "character")} left out`) : null;
    return [heading(`Result · ${printable(kind, 60)}`), reading(text, "Result of the call"), left];
  }
}

/** The input that fits a parameter. */
function inputFor(field) {
  if (field.kind === "checkbox") {
    const box = html("input", { type: "checkbox", class: "sn-checkbox" });
    box.checked = field.default === "True" || field.default === "true";
    return box;
  }
  if (field.kind === "select") {
    const none = field.required ? null : html("option", { value: "" }, "—");
    const options = field.options.map((text, at) => html("option", { value: at }, printable(text, 100)));
    const choice = html("select", { class: "sn-input" }, none, ...options);
    const chosen = field.default === "" ? -1 : Number(field.default);
    choice.value = chosen >= 0 && chosen < options.length ? String(chosen) : field.required ? "0" : "";
    return choice;
  }
  const input = textField({ required: field.required && field.kind !== "text" });
  if (field.kind === "number") mark(input, "inputmode", "decimal");
  if (field.kind === "literal") input.classList.add("sn-code");
  input.value = field.default;
  return input;
}
