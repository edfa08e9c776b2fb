// Chains: one quiet line around the boxes of tasks that one thread works together.

import { pathOf } from "./edges.js";
import { fitted, printable, svg } from "./elements.js";

const AROUND = 7;

export class Chains {
  constructor() {
    this.element = svg("g", { class: "sn-chains" });
  }

  paint(plan, cards) {
    const closed = cards.filter((card) => card.opened_by === "").map(({ rows }) => rows);
    const told = `${plan.revision} ${JSON.stringify(closed)}`;
    if (told === this.told) return;
    this.told = told;
    this.element.replaceChildren(...closed.map((rows) => around(plan, rows)));
  }
}

/** The outline of all that is inside: drawn twice, as a line and, a bit smaller, as the room in it. */
function around(plan, rows) {
  const inside = new Set(rows.map((row) => plan.rows[row]?.box).filter((box) => box !== undefined));
  const boxes = [...inside].map((box) => plan.boxes[box]);
  const edges = plan.edges.filter(({ source, target }) => inside.has(source) && inside.has(target));
  const shapes = () => [
    ...edges.map((edge) => svg("path", { d: pathOf(edge.points, 0) })),
    ...boxes.map(({ x, y, width, height }) =>
      svg("rect", {
        x: x - AROUND,
        y: y - AROUND,
        width: width + 2 * AROUND,
        height: height + 2 * AROUND,
        rx: 6 + AROUND,
      }),
    ),
  ];
  const names = boxes.map(({ name }) => fitted(name, 120, 11)).join(", ");
  return svg(
    "g",
    { class: "sn-chain" },
    svg("title", {}, printable(`One thread works these, packet by packet: ${names}`, 600)),
    svg("g", { class: "sn-chain-line" }, ...shapes()),
    svg("g", { class: "sn-chain-room" }, ...shapes()),
  );
}
