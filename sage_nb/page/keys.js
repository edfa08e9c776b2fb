// The keyboard: arrows along edges and between rows, Enter, Space, dot, comma, i, c and Escape. What is handled here goes no
// further, or it would edit the notebook.

import { linesOf } from "./folding.js";

/** Where an arrow key leads from a row of a plan as it is drawn: its index, or -1. */
export function neighbour(plan, index, key) {
  const row = plan.rows[index];
  if (row === undefined) return plan.rows.length > 0 ? 0 : -1;
  const lines = linesOf(plan.boxes[row.box]);
  const place = Math.max(0, lines.indexOf(index));
  if (key === "ArrowRight" || key === "ArrowLeft") {
    const [from, to] = key === "ArrowRight" ? ["source", "target"] : ["target", "source"];
    const boxes = plan.edges.filter((edge) => edge[from] === row.box).map((edge) => plan.boxes[edge[to]]);
    if (boxes.length === 0) return -1;
    const y = middle(plan.boxes[row.box]);
    const near = boxes.reduce((best, box) => (Math.abs(middle(box) - y) < Math.abs(middle(best) - y) ? box : best));
    return linesOf(near)[Math.min(place, linesOf(near).length - 1)] ?? -1;
  }
  const by = key === "ArrowDown" ? 1 : -1;
  if (lines[place + by] !== undefined) return lines[place + by];
  const next = nearestBox(plan, plan.boxes[row.box], by);
  return next === null ? -1 : (linesOf(next).at(by > 0 ? 0 : -1) ?? -1);
}

const middle = (box) => box.y + box.height / 2;

/** The next box above or below that shares some of the column, else the nearest there is. */
function nearestBox(plan, from, by) {
  const there = plan.boxes.filter(
    (box) => box !== from && (by > 0 ? box.y >= from.y + from.height : box.y + box.height <= from.y),
  );
  const apart = (box) => Math.max(0, box.x - (from.x + from.width), from.x - (box.x + box.width));
  const far = (box) => Math.abs(middle(box) - middle(from)) + 4 * apart(box);
  return there.reduce((best, box) => (best === null || far(box) < far(best) ? box : best), null);
}

const ARROWS = new Set(["ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown"]);
const EDITABLE = "input, select, textarea, [contenteditable='true']";

/**
 * Listen to the keys of a view. `does` names what can be done: move(index), inspect(index), toggle(), step(held),
 * takeBack(held), inject(), back(); each only if the view has the part for it. Of a box that shows one line for all its tasks, by its place:
 * fold(box), toggleAll(box), notAll(box).
 */
export function listenToKeys(root, store, does) {
  const onRow = (event, index) => {
    if (ARROWS.has(event.key)) {
      const vertical = event.key === "ArrowUp" || event.key === "ArrowDown";
      const inTable = event.target.closest(".sn-table") !== null;
      const next = !inTable
        ? neighbour(store.drawn, index, event.key)
        : vertical
          ? Math.max(0, Math.min(store.plan.rows.length - 1, index + (event.key === "ArrowDown" ? 1 : -1)))
          : index;
      if (next >= 0) does.move(next);
      return true;
    }
    const inGraph = event.target.closest(".sn-graph") !== null;
    const { box } = store.plan.rows[index];
    const folded = inGraph && store.drawn.boxes[box].folded;
    const fold = inGraph ? () => does.fold(box) : undefined;
    const step = () => does.step(event.repeat);
    const back = () => does.takeBack(event.repeat);
    const one = { Enter: () => does.inspect(index), " ": does.toggle, ".": step, ",": back, i: does.inject, c: fold };
    const not = () => does.notAll(box);
    const all = { Enter: fold, " ": () => does.toggleAll(box), ".": not, ",": back, i: not, c: fold };
    const act = (folded ? all : one)[event.key];
    if (act === undefined) return false;
    store.select(index);
    act();
    return true;
  };
  const onKey = (event) => {
    // What is typed into a field is the field's. The notebook would take it for shortcuts, and Ctrl+Z for its own.
    const typed = event.target.matches(EDITABLE);
    if (typed) event.stopPropagation();
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const row = event.target.closest("[data-row]");
    let handled = event.defaultPrevented;
    if (event.key === "Escape") handled ||= does.back(event);
    else if (row !== null && !typed) handled ||= onRow(event, Number(row.dataset.row));
    if (handled) event.preventDefault();
    if (handled) event.stopPropagation();
  };
  root.addEventListener("keydown", onKey);
  return () => root.removeEventListener("keydown", onKey);
}
