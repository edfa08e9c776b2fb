// The box of an operator or a service: its outline, its head, and the rows in it. It knows where it is, not what it is in.

import { fitted, mark, printable, svg, textWidth } from "./elements.js";
import { GroupPicture } from "./group_row.js";
import { GLYPHS } from "./icons.js";
import { hexagon, nameRoomOf, RowPicture } from "./rows.js";

const ROUND = new Set(["source", "input", "sink", "collect"]);
const NAME_PX = 13.8;
const DETAIL_SIZE = 11;
const CHEVRON_PX = 14;

export class BoxPicture {
  /** Of a box as it is drawn: `box.folded` says whether it has one row for all its tasks. */
  constructor(box, plan) {
    this.box = box;
    this.rows = box.folded ? [new GroupPicture(box, plan)] : rowsOf(box, plan);
    this.element = svg("g", { class: "sn-box" });
    if (box.number > 1 && box.rows.length === 1) {
      const behind = outline(box);
      behind.setAttribute("transform", "translate(4 -4)");
      this.element.append(behind);
    }
    this.element.append(outline(box));
    if (box.rows.length > 1) this.element.append(head(box, plan));
    this.element.append(...this.rows.map((row) => row.element));
  }

  paint(frame) {
    mark(this.element, "data-state", boxLook(this.box, frame));
  }
}

function rowsOf(box, plan) {
  const alone = box.rows.length === 1;
  const shared = { alone, detail: box.detail, service: box.service, round: roundOf(box), rows: plan.rows.length };
  shared.nameRoom = nameRoomOf(box.rows.map((index) => plan.rows[index]));
  return box.rows.map((index, place) => {
    const top = alone ? box.y : box.y + plan.head_px + place * plan.row_px;
    const at = { x: box.x, y: top, width: box.width, height: alone ? box.height : plan.row_px };
    return new RowPicture(plan.rows[index], index, at, shared);
  });
}

function outline(box) {
  const look = { class: "sn-box-shape" };
  if (box.service) return svg("path", { ...look, d: hexagon(box) });
  return svg("rect", { ...look, x: box.x, y: box.y, width: box.width, height: box.height, rx: roundOf(box) });
}

/** Name and kind of an operator with several tasks, and what collapses and opens it. */
function head(box, plan) {
  const base = box.y + plan.head_px / 2 + 4.5;
  const wide = textWidth(box.detail, DETAIL_SIZE);
  const left = box.x + 10 + CHEVRON_PX;
  const name = fitted(box.name, Math.max(40, box.width - 20 - CHEVRON_PX - 10 - wide), NAME_PX);
  const rule = box.y + plan.head_px - 1;
  const what = box.folded ? "open its tasks" : "collapse its tasks into one row";
  const turn = box.folded ? "" : "rotate(90 6 6)";
  const chevron = svg("path", { d: GLYPHS.chevron, class: "sn-chevron" });
  chevron.setAttribute("transform", `translate(${box.x + 9} ${base - 9}) scale(.8) ${turn}`.trim());
  return svg(
    "g",
    { class: "sn-box-head", "data-fold": plan.boxes.indexOf(box) },
    svg("title", {}, printable(`${box.name}, ${box.detail}: ${what} (c)`, 600)),
    svg("rect", { x: box.x, y: box.y, width: box.width, height: plan.head_px, rx: 6 }),
    chevron,
    svg("text", { x: left, y: base, class: "sn-name" }, name),
    svg(
      "text",
      { x: box.x + box.width - 12, y: base, class: "sn-faint", "text-anchor": "end" },
      fitted(box.detail, box.width / 2, DETAIL_SIZE),
    ),
    svg("path", { d: `M${box.x + 1} ${rule}h${box.width - 2}`, class: "sn-rule" }),
  );
}

/** How round the corners of an operator's box are. */
function roundOf(box) {
  return ROUND.has(box.kind) ? Math.min(box.height / 2, 18) : 6;
}

/** What speaks for a box: the worst of its rows, or what all of them have in common. */
export function boxLook(box, frame) {
  const letters = new Set(box.rows.map((index) => frame.states[index]));
  if (letters.has("f") || letters.has("a")) return "failed";
  const all = [...letters];
  if (letters.has("h") && all.every((letter) => "hcsx".includes(letter))) return "held"; // nobody in it can go on
  if (all.every((letter) => "cs".includes(letter))) return "ended";
  if (all.every((letter) => letter === "x")) return "cancelled";
  if (all.every((letter) => "pcsx".includes(letter))) return "paused";
  return null;
}
