// Which operators show all their tasks, each on a line, and which show one line for all of them; and the places of
// boxes and edges then. The kernel lays a plan out once; a box that gets higher or lower moves those above and below it
// in its column, so the reader can open and collapse boxes without the kernel, also when it has gone.

export const SERVICE_GAP = 46; // between the graph and the services below it: room for who calls them

export class Folding {
  constructor() {
    this.chosen = new Map(); // by a box's name: whether its reader has collapsed it
  }

  /** Whether a box shows one line for all its tasks: as was chosen by hand, else where it has more than `beyond`. */
  isFolded(box, beyond) {
    return box.rows.length > 1 && (this.chosen.get(box.name) ?? box.rows.length > beyond);
  }

  /** Collapse a box, or open it. */
  choose(box, folded) {
    this.chosen.set(box.name, folded);
  }

  /** The plan with boxes as high as what they show, and marked `folded`; edges and services move along. */
  drawn(plan, beyond) {
    const boxes = plan.boxes.map((box) => ({ ...box, folded: this.isFolded(box, beyond) }));
    const operators = boxes.filter(({ service }) => !service);
    const columns = columnsOf(operators, plan);
    for (const box of operators) {
      const height = heightOf(box, plan);
      const middle = movedBy(columns.get(Math.round(box.x)), box.y + box.height / 2);
      Object.assign(box, { y: middle - height / 2, height });
    }
    const edges = plan.edges.map((edge) => moved(edge, columns));
    const above = [0, ...operators.map(({ y }) => y), ...edges.flatMap(({ points }) => points.map(([, y]) => y))];
    const top = Math.min(...above);
    const below = [0, ...operators.map(({ y, height }) => y + height), ...edges.flatMap(lowest)];
    const bottom = Math.max(...below);
    for (const box of operators) box.y -= top;
    for (const edge of edges) lift(edge, top);
    const services = boxes.filter(({ service }) => service);
    for (const box of services) box.y = operators.length > 0 ? bottom - top + SERVICE_GAP : 0;
    const height = Math.max(bottom - top, ...services.map((box) => box.y + box.height));
    return { ...plan, boxes, edges, height };
  }
}

/** What stands in each line of a box: the index of a row, of a collapsed one its first. */
export function linesOf(box) {
  return box.folded ? box.rows.slice(0, 1) : box.rows;
}

function heightOf({ rows, folded, height }, plan) {
  if (rows.length < 2) return height;
  return folded ? plan.folded_px : plan.head_px + rows.length * plan.row_px + plan.foot_px;
}

/** The boxes of each column as they were laid out, by the column's left side: from, to, and by how much they grow. */
function columnsOf(operators, plan) {
  const columns = new Map();
  for (const box of operators) {
    const left = Math.round(box.x);
    if (!columns.has(left)) columns.set(left, []);
    columns.get(left).push({ from: box.y, to: box.y + box.height, grows: heightOf(box, plan) - box.height });
  }
  return columns;
}

/** Where a point of a column goes: what is above it grows downwards by a half, what is below it upwards. */
function movedBy(column, y) {
  let by = 0;
  for (const { from, to, grows } of column ?? []) {
    if (grows !== 0 && y >= to) by += grows / 2;
    else if (grows !== 0 && y <= from) by -= grows / 2;
  }
  return y + by;
}

/** An edge whose points have moved with their columns: it leaves one at its right side, and passes from left to right. */
function moved(edge, columns) {
  const lefts = [...columns.keys()];
  const before = (x) => lefts.filter((left) => left < x - 1).reduce((one, other) => Math.max(one, other), -Infinity);
  const points = edge.points.map(([x, y], at) => {
    const left = at % 2 ? Math.round(x) : before(x);
    return [x, movedBy(columns.get(left), y)];
  });
  return { ...edge, points, label_at: labelAt(edge, points) };
}

/** Where the label stands: on the same swing as before, as far along it. */
function labelAt({ label_at: [x], points: old }, points) {
  for (let at = 0; at + 1 < points.length; at += 2) {
    const [[x0, y0], [x1, y1]] = [points[at], points[at + 1]];
    if (x < x0 || x > x1 || old[at][0] !== x0) continue;
    const t = along(x0, x1, x);
    return [x, y0 + (y1 - y0) * t * t * (3 - 2 * t)];
  }
  return [x, points[0][1]];
}

/** How far along a swing `x` is. */
function along(x0, x1, x) {
  let [low, high] = [0, 1];
  for (let round = 0; round < 20; round++) {
    const t = (low + high) / 2;
    const rest = 1 - t;
    const here = rest ** 3 * x0 + (3 * rest * t * (x0 + x1)) / 2 + t ** 3 * x1;
    if (here < x) low = t;
    else high = t;
  }
  return (low + high) / 2;
}

const lowest = ({ points }) => points.map(([, y]) => y);

function lift(edge, top) {
  edge.points = edge.points.map(([x, y]) => [x, y - top]);
  edge.label_at = [edge.label_at[0], edge.label_at[1] - top];
}
