// Small pieces that the inspector's tabs are put together from: lists of facts, labelled fields, texts to be read.

import { freshId, html, printable, printableLines, quoted } from "./elements.js";

/** Terms and what they are: texts, or elements of ours. Empty ones are left out. */
export function factList(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return html(
    "dl",
    { class: "sn-facts" },
    ...shown.flatMap(([term, value]) => [
      html("dt", {}, printable(term, 60)),
      html("dd", {}, value instanceof Node ? value : quoted(value, { limit: 300 })),
    ]),
  );
}

/** A field with its label above it. */
export function labelled(word, field, hint = "") {
  field.id ||= freshId("field");
  const label = html("label", { for: field.id, class: "sn-label" }, printable(word, 100));
  const said = hint ? html("span", { class: "sn-hint", id: freshId("hint") }, printable(hint, 300)) : null;
  if (said) field.setAttribute("aria-describedby", said.id);
  return html("div", { class: "sn-field" }, label, field, said);
}

/** A line to type into. Nothing is corrected or completed: it is code. */
export function textField(props = {}) {
  return html("input", {
    ...{ type: "text", class: "sn-input", autocomplete: "off", autocapitalize: "off", spellcheck: "false" },
    ...props,
  });
}

const MOST_READ = 100_000; // what a whole repr may be

/** A text of several lines, as it is; it scrolls, so the keyboard can reach it. */
export function reading(text, label) {
  const props = { class: "sn-reading", role: "group", tabindex: "0", "aria-label": label };
  return html("pre", props, printableLines(text, MOST_READ));
}

/** A value to be typed, and whether it is to be evaluated, which its reader has to allow. `value()` is what is sent. */
export class ValueField {
  constructor(store, label, field, hint = "") {
    this.store = store;
    this.field = field;
    this.box = html("input", { type: "checkbox", class: "sn-checkbox", onchange: () => this.allow() });
    this.box.checked = store.evaluates;
    const words = "evaluate as Python, with the names of this notebook";
    const choice = html("label", { class: "sn-evaluate sn-hint" }, this.box, words);
    this.element = html("div", { class: "sn-value-field" }, labelled(label, field, hint), choice);
  }

  allow() {
    this.store.evaluates = this.box.checked;
  }

  value() {
    const given = { value: this.field.value };
    return this.box.checked ? { ...given, as_python: true } : given;
  }
}

/** A heading inside a tab. */
export function heading(text) {
  return html("h4", { class: "sn-heading" }, text);
}

/** Things that belong together; where there is room, groups stand side by side. */
export function group(...children) {
  return html("div", { class: "sn-group" }, ...children);
}

/** A row of buttons. */
export function actions(...controls) {
  return html("div", { class: "sn-actions" }, ...controls.map((control) => control.element ?? control));
}

const madeOf = new WeakMap(); // what each element's content was made of, as it is and as text

/** Replace what is in `element`, unless it was made of the same facts: a list, or one. */
export function renew(element, facts, make) {
  const parts = Array.isArray(facts) ? [...facts] : [facts];
  const before = madeOf.get(element);
  if (before?.parts.length === parts.length && parts.every((part, place) => part === before.parts[place])) return;
  const text = JSON.stringify(parts);
  madeOf.set(element, { parts, text });
  if (before?.text === text) return;
  element.replaceChildren(...[make()].flat().filter((each) => each !== null && each !== undefined));
}
