// Whether the colours around an element have changed, for whichever reason: the reader's system, the notebook's theme.
// What is painted on a canvas does not follow by itself.

import { html } from "./elements.js";

export class Theme {
  /** `onChange` is called after the ink of `element` has changed. */
  constructor(element, onChange) {
    // The browser says when a transition of a colour has ended, and so that there was one. It takes a millisecond.
    this.probe = html("span", { class: "sn-hidden sn-theme-probe", "aria-hidden": "true" });
    this.probe.addEventListener("transitionend", () => onChange());
    element.append(this.probe);
  }

  close() {
    this.probe.remove();
  }
}
