// One parameter of a service's method: how it is asked for, what is sent of it, and why that was refused. A field that
// was not touched shows the method's own default as a hint, and sends nothing.

import { freshId, html, mark, printable, say } from "./elements.js";
import { labelled, textField } from "./forms.js";

class FormField {
  constructor(field) {
    this.field = field;
    const { optional } = this;
    this.how = null;
    this.input = this.make();
    const asked = optional ? `${field.name} (optional)` : field.name;
    this.element = labelled(asked, this.input, field.hint);
    this.input.addEventListener("input", () => this.touched());
    if (field.kind === "text" && (optional || field.none)) this.addHow();
    this.error = html("span", { class: "sn-field-error", id: freshId("misfit"), role: "alert" });
    this.element.append(this.error);
  }

  get optional() {
    return !this.field.required;
  }

  /** What stands in an empty field: what is passed on then. */
  get otherwise() {
    return this.field.default ? `default: ${printable(this.field.default, 80)}` : "";
  }

  make() {
    const { field, optional } = this;
    if (field.kind === "checkbox") {
      const box = html("input", { type: "checkbox", class: "sn-checkbox" });
      box.checked = field.default === "True";
      return box;
    }
    if (field.kind === "select") {
      const none = optional ? html("option", { value: "" }, this.otherwise || "—") : null;
      const options = field.options.map((text, at) => html("option", { value: at }, printable(text, 100)));
      return html("select", { class: "sn-input" }, none, ...options);
    }
    const input = textField({ required: field.required && field.kind !== "text", placeholder: this.otherwise || null });
    if (field.kind === "number") mark(input, "inputmode", "decimal");
    if (field.kind !== "text") input.classList.add("sn-code");
    return input;
  }

  /** Of a text: whether it is left alone, is what stands there, an empty one too, or None. */
  addHow() {
    const { field, optional, input } = this;
    const option = (value, text) => html("option", { value }, text);
    this.how = html(
      "select",
      { class: "sn-input sn-how", "aria-label": `What ${printable(field.name, 60)} is` },
      optional ? option("default", "default") : null,
      option("text", "this text"),
      field.none ? option("none", "None") : null,
    );
    this.how.addEventListener("change", () => {
      if (this.how.value === "text") input.focus();
      else input.value = "";
      this.touched();
    });
    const line = html("div", { class: "sn-field-line" });
    input.replaceWith(line);
    line.append(input, this.how);
    this.touched();
  }

  touched() {
    if (this.error) this.refuse("");
    if (this.how === null) return;
    if (this.input.value !== "") this.how.value = "text";
    const words = { default: this.otherwise, text: "an empty text", none: "None" };
    mark(this.input, "placeholder", words[this.how.value] || null);
  }

  /** The part of the values that is this field's. */
  sent() {
    const { field, input } = this;
    const given = (value) => ({ [field.name]: value });
    if (this.how !== null) return { default: {}, text: given(input.value), none: given(null) }[this.how.value];
    if (field.kind === "checkbox")
      return this.optional && input.checked === (field.default === "True") ? {} : given(input.checked);
    return input.value !== "" || (field.kind === "text" && field.required) ? given(input.value) : {};
  }

  /** Say at the field why what was filled in does not do, if `misfits` does; whether it did. */
  refuseOf(misfits, path = this.field.name) {
    this.refuse(misfits[path] ?? "");
    return path in misfits;
  }

  focus() {
    this.input.focus();
  }

  /** Say at the field why what was filled in does not do; nothing takes it back. */
  refuse(reason) {
    say(this.error, printable(reason, 300));
    mark(this.input, "aria-invalid", reason ? "true" : null);
    mark(this.input, "aria-errormessage", reason ? this.error.id : null);
  }
}

/** A dataclass: its own fields, within a frame that has its name. Left alone it sends nothing, unless it is required. */
class FieldGroup {
  constructor(field) {
    this.field = field;
    this.parts = field.fields.map(fieldOf);
    this.touched = field.required;
    this.error = html("span", { class: "sn-field-error", role: "alert" });
    const asked = field.required ? field.name : `${field.name} (optional)`;
    const hint = [field.hint, field.default && `default: ${field.default}`].filter(Boolean).join(" · ");
    this.element = html(
      "fieldset",
      { class: "sn-fieldset", oninput: () => (this.touched = true), onchange: () => (this.touched = true) },
      html("legend", { class: "sn-label" }, printable(asked, 100)),
      html("span", { class: "sn-hint" }, printable(hint, 300)),
      ...this.parts.map((part) => part.element),
      this.error,
    );
  }

  sent() {
    const inner = Object.assign({}, ...this.parts.map((part) => part.sent()));
    return this.touched ? { [this.field.name]: inner } : {};
  }

  refuseOf(misfits, path = this.field.name) {
    say(this.error, printable(misfits[path] ?? "", 300));
    this.wrong = this.parts.filter((part) => part.refuseOf(misfits, `${path}.${part.field.name}`))[0] ?? null;
    return this.wrong !== null || path in misfits;
  }

  focus() {
    (this.wrong ?? this.parts[0]).focus();
  }
}

/** How a field is asked for. */
export function fieldOf(field) {
  return field.kind === "fields" ? new FieldGroup(field) : new FormField(field);
}
