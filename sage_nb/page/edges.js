// The edges between boxes: curve, arrow head, label, and how they look when they are blocked or their producer has
// ended. And the signals, markers that travel along an edge once.

import { fitted, mark, printable, say, svg, textWidth } from "./elements.js";
import { signalMarker } from "./signals.js";
import { hasEnded } from "./states.js";

const TRAVEL_MS = 650;
const TRAVELLING_PX = 14;
const ARROW = 8;
const LABEL = 11;

const figure = (number) => (Number.isFinite(number) ? Number(number.toFixed(1)) : 0);

/** The path of an edge: swings and straights in turn, as the plan says; it ends where the arrow head begins. */
export function pathOf(points, short = ARROW) {
  const places = points.map(([x, y]) => [figure(x), figure(y)]);
  let path = `M${places[0]?.join(" ") ?? "0 0"}`;
  for (let at = 1; at < places.length; at++) {
    const [x0, y0] = places[at - 1];
    const [x, y] = places[at];
    const end = at === places.length - 1 ? figure(x - short) : x;
    const middle = figure((x0 + x) / 2);
    path += at % 2 ? `C${middle} ${y0} ${middle} ${y} ${end} ${y}` : `L${end} ${y}`;
  }
  return path;
}

export class EdgePicture {
  constructor(edge) {
    this.edge = edge;
    const [x, y] = edge.points.at(-1).map(figure);
    this.path = pathOf(edge.points);
    this.line = svg("path", { d: this.path, class: "sn-line" });
    const head = svg("path", { d: `M${x} ${y}l-${ARROW + 1} -4.5v9z`, class: "sn-head" });
    // Shown where it is blocked: a barrier in front of the target.
    const barrier = svg("path", {
      d: `M${x - ARROW - 4} ${y - 8}v16M${x - ARROW - 7.5} ${y - 8}v16`,
      class: "sn-barrier",
    });
    this.element = svg("g", { class: "sn-edge" }, svg("title", {}, printable(edge.label)), this.line, head, barrier);
    this.label = null;
    if (edge.label) {
      const [at, on] = edge.label_at.map(figure);
      const text = fitted(edge.label, Math.max(edge.label_width, 24) * 1.1, LABEL);
      const width = Math.min(textWidth(text, LABEL), edge.label_width) + 8;
      this.label = svg(
        "g",
        { class: "sn-edge-label", "aria-hidden": "true" },
        svg("rect", { x: figure(at - width / 2), y: on - 8, width: figure(width), height: 16, rx: 3 }),
        svg("text", { x: at, y: on + 3.8, "text-anchor": "middle" }, text),
      );
    }
    this.signals = 0;
  }

  look(name, on) {
    mark(this.element, `data-${name}`, on ? "yes" : null);
  }

  /** Say how it stands to who points at it. */
  saying(words, { boxes }) {
    if (words === this.words) return;
    this.words = words;
    const { source, target, label } = this.edge;
    const parts = [`${boxes[source]?.name} to ${boxes[target]?.name}`, label, words].filter((each) => each);
    say(this.element.firstChild, printable(parts.join(", "), 300));
  }

  /** A stop signal has been sent. Where movement is not wanted, the edge itself stays marked. */
  stopped(layer, still) {
    this.signals += 1;
    this.look("signalled", true);
    this.travel(layer, still, "stop");
  }

  /** Let the marker of a signal travel along, where movement is wanted. */
  travel(layer, still, kind) {
    if (still || typeof CSS === "undefined" || !CSS.supports("offset-path", "path('M0 0h1')")) return;
    const marker = svg("g", { class: "sn-marker", "data-kind": kind }, signalMarker(kind, TRAVELLING_PX));
    marker.style.offsetPath = `path("${pathOf(this.edge.points, 0)}")`;
    marker.style.offsetRotate = "0deg";
    layer.append(marker);
    const steps = [{ offsetDistance: "0%" }, { offsetDistance: "100%" }];
    const journey = marker.animate(steps, { duration: TRAVEL_MS, easing: "ease-in-out", fill: "both" });
    journey.onfinish = journey.oncancel = () => marker.remove();
  }
}

/** Which edges are blocked: those from a held back row to a queue that has no room for it. */
export function blockedEdges(plan, frame) {
  const blocked = new Set();
  if (!frame.states.includes("h")) return blocked;
  const leaving = plan.boxes.map(() => []);
  plan.edges.forEach((edge, index) => leaving[edge.source]?.push(index));
  for (let index = 0; index < plan.rows.length; index++) {
    if (frame.states[index] !== "h") continue;
    const edges = leaving[plan.rows[index].box] ?? [];
    const shares = edges.map((edge) => fullest(plan, frame, plan.rows[index], plan.edges[edge].target));
    const most = Math.max(...shares);
    // The numbers are not of one moment: if no queue looks full, it is the one that is nearest to it.
    edges.forEach((edge, place) => {
      if (shares[place] >= 1 || (shares[place] === most && most < 1 && most > 0)) blocked.add(edge);
    });
  }
  return blocked;
}

/** How full the fullest queue of a box is, seen by one producer. */
function fullest(plan, frame, producer, box) {
  let most = 0;
  for (const index of plan.boxes[box].rows) {
    const { capacity, producers } = plan.rows[index];
    const lane = producers.indexOf(producer.name);
    const depths = frame.lanes[index] ?? frame.lanes[String(index)];
    const share =
      depths !== undefined && lane >= 0
        ? depths[lane + 1] / Math.max(1, Math.floor(capacity / producers.length))
        : frame.depths[index] / Math.max(1, capacity);
    most = Math.max(most, share);
  }
  return most;
}

/** Whether every row of a box has ended. */
export function boxEnded(box, frame) {
  return box.rows.length > 0 && box.rows.every((index) => hasEnded(frame.states[index]));
}
