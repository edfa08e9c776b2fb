// What a graph says where it is too small for words: the row under the pointer, or that has the focus, in a label.

import { html, printable, say } from "./elements.js";

const GAP = 6;

export class Words {
  /** In `area`'s parent, of the rows in `area`; silent until `on` is true. */
  constructor(area) {
    this.area = area;
    this.on = false;
    this.element = html("div", { class: "sn-words", "aria-hidden": "true", hidden: true });
    area.addEventListener("pointerover", (event) => this.about(event.target));
    area.addEventListener("pointerleave", () => this.about(document.activeElement));
    area.addEventListener("focusin", (event) => this.about(event.target));
    area.addEventListener("focusout", () => this.hide());
    area.addEventListener("scroll", () => this.hide());
  }

  turn(on) {
    this.on = on;
    if (!on) this.hide();
  }

  hide() {
    this.element.hidden = true;
  }

  /** Say what the row says that `target` is in, beside it. */
  about(target) {
    const row = this.on && this.area.contains(target) ? target.closest("[data-row]") : null;
    if (row === null) return this.hide();
    say(this.element, printable(row.getAttribute("aria-label"), 300));
    this.element.hidden = false;
    const [at, around] = [row.getBoundingClientRect(), this.element.parentElement.getBoundingClientRect()];
    const { offsetWidth: wide, offsetHeight: high } = this.element;
    const left = Math.max(0, Math.min(at.left - around.left, around.width - wide));
    const below = at.bottom - around.top + GAP;
    const top = below + high <= around.height ? below : Math.max(0, at.top - around.top - high - GAP);
    this.element.style.translate = `${Math.round(left)}px ${Math.round(top)}px`;
  }
}
