// Elements, texts and numbers: the one place that makes them. Whatever a name or a payload contains goes into a text
// node or an attribute, never into markup, a style or an address. Knows nothing of graphs.

const SVG_SPACE = "http://www.w3.org/2000/svg";
const FOCUSABLE = new Set(["button", "input", "select", "textarea", "summary"]);
const MAX_TITLE = 2_000;

// Characters that are not shown, that turn a line around, or that are half a character.
const UNSEEN = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\uffff]/gu;
const UNSEEN_BUT_LINES = new RegExp(`(?![\\n\\t])${UNSEEN.source}`, "gu");

/** `text` on one line without characters that are not shown, cut to `limit` characters. */
export function printable(text, limit = 200) {
  return shortened(String(text ?? ""), limit).replace(UNSEEN, "\ufffd");
}

/** The same, but lines stay lines. */
export function printableLines(text, limit = 100_000) {
  return shortened(String(text ?? ""), limit)
    .replace(/\r\n?/g, "\n")
    .replace(UNSEEN_BUT_LINES, "\ufffd");
}

function shortened(text, limit) {
  return text.length > limit ? `${text.slice(0, limit - 1).replace(/[\ud800-\udbff]$/, "")}…` : text;
}

function prepared(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  // The notebook's shortcuts look at the focused element itself: a key typed here must not edit the notebook.
  if (FOCUSABLE.has(element.localName) || "tabindex" in props)
    element.setAttribute("data-lm-suppress-shortcuts", "true");
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An HTML element: attributes and `on…` listeners, then children (texts are text). */
export function html(tag, props = {}, ...children) {
  return prepared(document.createElement(tag), props, children);
}

/** An SVG element. */
export function svg(tag, props = {}, ...children) {
  return prepared(document.createElementNS(SVG_SPACE, tag), props, children);
}

const said = new WeakMap(); // what `say` and `mark` last wrote, so that nothing is written twice

/** Set an element's text, if it is another one. */
export function say(element, text) {
  if (said.get(element) === text) return false;
  said.set(element, text);
  const node = element.firstChild;
  if (node !== null && node.nodeType === 3 && node === element.lastChild) node.data = text;
  else element.textContent = text;
  return true;
}

/** Set an attribute, if its value is another one; null removes it. */
export function mark(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** A foreign text as it may stand in a title. */
export function titled(element, text) {
  mark(element, "title", text ? printableLines(text, MAX_TITLE) : null);
}

/** A foreign text in an element of its own, cut to one line; all of it in the title. */
export function quoted(text, { limit = 200, tag = "span", look = "" } = {}) {
  const whole = String(text ?? "");
  const short = printable(whole, limit);
  const props = { class: `sn-quoted ${look}`.trim() };
  if (short !== whole || short.length > 24) props.title = printableLines(whole, MAX_TITLE);
  return html(tag, props, short);
}

const whole = new Intl.NumberFormat("en-US");

/** `12,345` */
export function counted(number) {
  return whole.format(number);
}

/** `1 error`, `2 errors` */
export function numbered(number, noun) {
  return `${counted(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** A number in at most five characters: exact up to 9,999, then `12.3k`, `4.56M`. */
export function compact(number) {
  if (number < 10_000) return counted(number);
  for (const [unit, letter] of [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ]) {
    if (number >= unit) {
      const scaled = number / unit;
      return `${scaled.toFixed(scaled < 10 ? 2 : scaled < 100 ? 1 : 0)}${letter}`;
    }
  }
  return String(number);
}

/** `0.012 s`, `3.21 s`, `45.6 s`, `1:02:03` */
export function seconds(time) {
  if (!(time >= 0)) return "0 s";
  if (time < 99.95) return `${time.toFixed(time < 1 ? 3 : time < 10 ? 2 : 1)} s`;
  const rounded = Math.floor(time);
  const parts = [Math.floor(rounded / 60) % 60, rounded % 60].map((part) => String(part).padStart(2, "0"));
  return rounded < 3600 ? parts.join(":") : `${Math.floor(rounded / 3600)}:${parts.join(":")}`;
}

/** A number of two digits at least: `0.31`, `8.5`, `1,234`. */
export function rounded(number) {
  return number >= 100 ? counted(Math.round(number)) : String(Number(number.toPrecision(2)));
}

/** `0.31 ms`, `1,234 ms` */
export function milliseconds(time) {
  return `${rounded(time)} ms`;
}

/** `1st`, `2nd`, `11th` */
export function ordinal(number) {
  const tens = number % 100;
  const ending = tens > 10 && tens < 14 ? "th" : (["th", "st", "nd", "rd"][number % 10] ?? "th");
  return `${number}${ending}`;
}

/** How wide `text` may become in a sans-serif of this size. No layout is asked for it, so it is cheap. */
export function textWidth(text, size) {
  let ems = 0;
  for (const character of text) ems += emsOf(character);
  return ems * size;
}

/** `text` cut so that it takes at most `width` px. */
export function fitted(text, width, size) {
  const short = printable(text, 400);
  if (textWidth(short, size) <= width + 0.5) return short;
  let room = width - size; // with the dots
  let end = 0;
  for (const character of short) {
    room -= emsOf(character) * size;
    if (room < 0) break;
    end += character.length;
  }
  return `${short.slice(0, end)}…`;
}

function emsOf(character) {
  if ("iljtf.,:;|!'()[] ".includes(character)) return 0.38;
  if ("mwMW@%".includes(character)) return 0.95;
  const code = character.codePointAt(0);
  if (code > 0x2e7f) return 1.05;
  return code > 0x24f || character === "#" || (character >= "A" && character <= "Z") ? 0.7 : 0.6;
}

let lastId = 0;

/** An id that no other element of this module has. */
export function freshId(what) {
  return `sage-nb-${what}-${++lastId}-${Math.random().toString(36).slice(2, 7)}`;
}
