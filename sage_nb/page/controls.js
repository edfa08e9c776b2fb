// A button that may be disabled: it says why, and can still be reached by the keyboard.

import { freshId, html, mark, printable, say } from "./elements.js";
import { button, icon } from "./icons.js";

/**
 * A button that does `act()`, unless `why()` gives a reason why it cannot. `refresh()` looks again. `wait` says whether
 * it has been pressed and the kernel has not answered.
 */
export class Control {
  constructor(word, glyph, { why, act, wait = () => false, look = "", bare = false, hint = "" }) {
    this.why = why;
    this.wait = wait;
    this.hint = hint;
    this.word = word;
    this.bare = bare;
    this.described = html("span", { id: freshId("why"), class: "sn-hidden" });
    this.button = button(word, glyph, () => this.press(act), { bare, look });
    this.button.setAttribute("aria-describedby", this.described.id);
    this.element = html("span", { class: "sn-control" }, this.button, this.described);
    this.refresh();
  }

  /** From now on it has another word and glyph. */
  say(word, glyph) {
    if (word === this.word) return;
    this.word = word;
    this.button.replaceChildren(icon(glyph), html("span", {}, word));
    this.refresh();
  }

  press(act) {
    this.refresh();
    if (this.reason === "") act();
  }

  refresh() {
    this.reason = this.wait() ? "waiting for the kernel" : printable(this.why(), 300);
    mark(this.button, "aria-disabled", this.reason === "" ? null : "true");
    say(this.described, this.reason);
    const title = this.reason !== "" ? `${this.word}: ${this.reason}` : this.hint || (this.bare ? this.word : "");
    mark(this.button, "title", title || null);
  }
}

/** Put `text` on the clipboard, also where the page is not on a secure address. True if it worked. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const before = document.activeElement;
    const field = html("textarea", { class: "sn-hidden", "aria-hidden": "true", tabindex: "-1" });
    field.value = text;
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    before?.focus?.();
    return copied;
  }
}
