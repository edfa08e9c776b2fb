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

/** A text of several lines, as it is; it scrolls, so the keyboard can reach it. */
export function reading(text, label) {
  return html("pre", { class: "sn-reading", tabindex: "0", "aria-label": label }, printableLines(text));
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

/** Replace what is in `element`, unless it was made of the same facts. */
export function renew(element, facts, make) {
  const text = JSON.stringify(facts);
  if (element.sageFacts === text) return;
  element.sageFacts = text;
  element.replaceChildren(...[make()].flat().filter((each) => each !== null && each !== undefined));
}
