// A graph that is larger than what can be seen of it, small and whole: where one is, and a way to go elsewhere.

import { html, mark, printable, say, svg } from "./elements.js";
import { stateOf } from "./states.js";
import { talliesOf } from "./group_row.js";

const FROM = 30; // operators; of fewer one finds one's way by the arrows
const HIGHEST = 72; // px
const LOWEST = 18;
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Overview {
  /** `go(x, y)` brings a point of the drawing into the middle; `by(x, y)` goes on by so many times what is seen. */
  constructor({ go, by }) {
    this.go = go;
    this.by = by;
    this.boxes = svg("g");
    this.sight = svg("rect", { class: "sn-overview-sight" });
    const listeners = {
      onpointerdown: (event) => this.pressed(event),
      onpointermove: (event) => this.dragging && this.point(event),
      onpointerup: () => (this.dragging = false),
      onpointercancel: () => (this.dragging = false),
      onkeydown: (event) => this.key(event),
    };
    const look = { class: "sn-overview-drawing", role: "img", tabindex: "0", preserveAspectRatio: "xMidYMid meet" };
    this.drawing = svg("svg", { ...look, ...listeners }, this.boxes, this.sight);
    this.element = html("div", { class: "sn-overview", hidden: true }, this.drawing);
    this.dragging = false;
    this.seen = "";
  }

  /** Draw the boxes of another plan. */
  build(plan, { width, height, margin }) {
    this.plan = plan;
    this.wanted = plan.boxes.length > FROM;
    this.size = { width, height, margin };
    mark(this.drawing, "viewBox", `${-margin} ${-margin} ${width} ${height}`);
    const label = `Overview of ${plan.boxes.length} operators and services: arrow keys and clicks move what is shown`;
    mark(this.drawing, "aria-label", label);
    this.marks = this.wanted ? plan.boxes.map((box) => this.mark(box)) : [];
    this.boxes.replaceChildren(...this.marks);
    this.seen = "";
  }

  mark(box) {
    const { x, y, width, height } = box;
    return svg("g", { class: "sn-overview-box" }, svg("title"), svg("rect", { x, y, width, height, rx: 6 }));
  }

  paint(frame) {
    if (!this.wanted) return;
    this.plan.boxes.forEach((box, place) => {
      const [letter] = talliesOf(box.rows, frame)[0] ?? ["n"];
      const { look, word } = stateOf(letter);
      mark(this.marks[place], "data-state", look);
      say(this.marks[place].firstChild, printable(`${box.name}, ${word}`, 200));
    });
  }

  /** What of the drawing is in sight; all of it needs no overview. */
  look({ left, top, right, bottom }, whole, room) {
    const { width, height, margin } = this.size;
    const hidden = !this.wanted || whole;
    if (this.element.hidden !== hidden) this.element.hidden = hidden;
    const now = [left, top, right, bottom, room, hidden].join(" ");
    if (hidden || now === this.seen) return;
    this.seen = now;
    const high = Math.max(LOWEST, Math.min(HIGHEST, (height / width) * room));
    this.drawing.style.height = `${Math.round(high)}px`;
    const within = (number, most) => Math.max(-margin, Math.min(most - margin, number));
    const [x, y] = [within(left, width), within(top, height)];
    mark(this.sight, "x", x.toFixed(1));
    mark(this.sight, "y", y.toFixed(1));
    mark(this.sight, "width", (within(right, width) - x).toFixed(1));
    mark(this.sight, "height", (within(bottom, height) - y).toFixed(1));
  }

  pressed(event) {
    this.dragging = true;
    this.drawing.setPointerCapture(event.pointerId);
    this.point(event);
  }

  point(event) {
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.drawing.getScreenCTM().inverse());
    this.go(place.x, place.y);
  }

  key(event) {
    const way = KEYS[event.key];
    if (way !== undefined) this.by(...way);
    else if (event.key === "Home") this.go(0, 0);
    else if (event.key === "End") this.go(this.size.width, this.size.height);
    else return;
    event.preventDefault();
  }
}
