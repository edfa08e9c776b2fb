// Glyphs as paths of a 12 × 12 square: the same in every font, and never an emoji.

import { html, svg } from "./elements.js";

export const GLYPHS = {
  dot: "M6 3.8a2.2 2.2 0 1 0 0 4.4a2.2 2.2 0 1 0 0-4.4z",
  ring: "M6 1.2a4.8 4.8 0 1 0 0 9.6a4.8 4.8 0 1 0 0-9.6zM6 2.8a3.2 3.2 0 1 1 0 6.4a3.2 3.2 0 1 1 0-6.4z",
  play: "M2.6 1.2L11 6L2.6 10.8z",
  pause: "M2 1.2h3v9.6H2zM7 1.2h3v9.6H7z",
  triangle: "M6 .9L11.7 10.9H.3z",
  alarm: "M6 .9L11.7 10.9H.3zM5.3 4.4v3.3h1.4V4.4zM5.3 8.4v1.3h1.4V8.4z",
  hourglass: "M2 .8h8v1.6L7.2 6L10 9.6v1.6H2V9.6L4.8 6L2 2.4z",
  dots: "M.4 4.6h2.8v2.8H.4zM4.6 4.6h2.8v2.8H4.6zM8.8 4.6h2.8v2.8H8.8z",
  bars: "M.8 1h2.6v10H.8zM4.7 1h2.6v10H4.7zM8.6 1h2.6v10H8.6z",
  clock:
    "M6 1.2a4.8 4.8 0 1 0 0 9.6a4.8 4.8 0 1 0 0-9.6zM6 2.8a3.2 3.2 0 1 1 0 6.4a3.2 3.2 0 1 1 0-6.4zM5.4 3.2h1.2v2.4L8.4 6.7L7.8 7.7L5.4 6.3z",
  check: "M.9 6.5L2.5 4.9L4.9 7.3L9.7 2L11.3 3.5L5 10.3z",
  cross: "M2.5 1L6 4.5L9.5 1L11 2.5L7.5 6L11 9.5L9.5 11L6 7.5L2.5 11L1 9.5L4.5 6L1 2.5z",
  slashed:
    "M6 1.2a4.8 4.8 0 1 0 0 9.6a4.8 4.8 0 1 0 0-9.6zM6 2.8a3.2 3.2 0 1 1 0 6.4a3.2 3.2 0 1 1 0-6.4zM3.2 5.2h5.6v1.6H3.2z",
  octagon: "M3.7.4h4.6L11.6 3.7v4.6L8.3 11.6H3.7L.4 8.3V3.7z",
  square: "M1.8 1.8h8.4v8.4H1.8z",
  startPaused: "M.4 1.6L6 6L.4 10.4zM7 1.6h1.8v8.8H7zM10 1.6h1.8v8.8H10z",
  resume: "M.8 1.4h1.9v9.2H.8zM4.2 1.4L11.6 6L4.2 10.6z",
  step: "M1.4 1.4L8 6L1.4 10.6zM8.8 1.4h1.9v9.2H8.8z",
  back: "M10.6 1.4L4 6L10.6 10.6zM1.3 1.4h1.9v9.2H1.3z",
  stepTask: "M.6 1.4h1.7v9.2H.6zM3.4 5.2h4.2V2.2L11.7 6L7.6 9.8V6.8H3.4z",
  copy: "M1 1h7v2H3v5H1zM4 4h7v7H4zM5.4 5.4v4.2h4.2V5.4z",
  left: "M9.4 1.2v9.6L1.6 6z",
  right: "M2.6 1.2v9.6L10.4 6z",
  up: "M1.2 9.4h9.6L6 1.6z",
  down: "M1.2 2.6h9.6L6 10.4z",
  chevron: "M4 .8L9.2 6L4 11.2L2.6 9.8L6.4 6L2.6 2.2z",
  plus: "M5 1h2v4h4v2H7v4H5V7H1V5h4z",
  minus: "M1 5h10v2H1z",
  fit: "M.6.6h4v1.6H2.2v2.4H.6zM7.4.6h4v4H9.8V2.2H7.4zM.6 7.4h1.6v2.4h2.4v1.6h-4zM9.8 7.4h1.6v4h-4V9.8h2.4z",
  collapse: "M1 .8h10v1.6H1zM6 7.6L2.8 4.2h6.4zM1 9.6h10v1.6H1z",
  undo: "M5 .8L.8 4.2L5 7.6V5.3h2.4a1.9 1.9 0 0 1 0 3.8H3.6v1.8h3.8a3.7 3.7 0 0 0 0-7.4H5z",
  skip: "M6 10.9L.4 1.4h11.2zM6 7.6L8.6 3.1H3.4z",
};

/** The path of a glyph, to be placed in a drawing. */
export function glyphPath(name, look = "") {
  return svg("path", { d: GLYPHS[name], "fill-rule": "evenodd", class: `sn-glyph ${look}`.trim() });
}

/** A glyph as high as the text beside it; it is not read aloud, so a word stands with it. */
export function icon(name, look = "") {
  return svg(
    "svg",
    { viewBox: "0 0 12 12", class: `sn-icon ${look}`.trim(), "aria-hidden": "true", focusable: "false" },
    glyphPath(name),
  );
}

/** A button of a glyph and a word; `bare` shows the glyph alone and says the word. */
export function button(word, glyph, onclick, { bare = false, look = "" } = {}) {
  return html(
    "button",
    {
      type: "button",
      class: `sn-button ${look}`.trim(),
      "aria-label": bare ? word : null,
      title: bare ? word : null,
      onclick,
    },
    glyph ? icon(glyph) : null,
    bare ? null : html("span", {}, word),
  );
}
