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

/** What a canvas is painted with: the colours of the page, each as the browser has worked it out, and its font. */
export function coloursOf(canvas) {
  const style = getComputedStyle(canvas);
  const colours = { ink: style.color, font: style.fontFamily };
  for (const name of ["blue", "pink", "orange", "red", "green", "grey", "accent"])
    colours[name] = style.getPropertyValue(`--sn-${name}`).trim();
  colours.faint = style.getPropertyValue("outline-color");
  colours.line = style.getPropertyValue("border-top-color");
  return colours;
}
