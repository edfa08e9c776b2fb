// Who calls which service: a thin dotted line from each box that has called one, with its calls per second. Any task may
// call any service, so there is a line only where there has been a call.

import { compact, mark, numbered, printable, say, svg, textWidth } from "./elements.js";

const MOST_LABELS = 4; // callers of one service; of more, rates would lie on each other
const RATE_ABOVE = 17; // so far above its service a rate stands
const CALL_ARC = 16; // how far a line from one service to another goes down
const CALL_HEAD = 5;
const RATE_PX = 10;

/** `1 call`, `1,234 calls` */
export function callsText(number) {
  return numbered(number, "call");
}

/** `0.3/s`, `12/s`, `3.4k/s` */
export function perSecond(rate) {
  return `${rate < 10 ? Number(rate.toFixed(1)) : compact(Math.round(rate))}/s`;
}

export class CallLines {
  constructor(plan) {
    this.plan = plan; // as it is drawn
    this.element = svg("g", { class: "sn-call-lines" });
    this.labels = svg("g", { class: "sn-labels", "aria-hidden": "true" });
    this.lines = new Map(); // by caller's and service's boxes
    this.chosen = undefined; // the box whose lines are thicker
  }

  paint(cards) {
    if (cards.length === 0 && this.lines.size === 0) return;
    const sums = new Map();
    for (const { service, caller, calls, per_s } of cards) {
      const [from, to] = [this.plan.rows[caller]?.box, this.plan.rows[service]?.box];
      if (from === undefined || to === undefined) continue; // of the hand: it is no box
      const key = `${from} ${to}`;
      const sum = sums.get(key) ?? { from, to, calls: 0, rate: 0 };
      sums.set(key, { from, to, calls: sum.calls + calls, rate: sum.rate + per_s });
    }
    if (sums.size !== this.lines.size || [...sums.keys()].some((key) => !this.lines.has(key))) this.build(sums);
    for (const [key, sum] of sums) this.lines.get(key).paint(sum);
  }

  /** All lines anew: where one arrives depends on the others. */
  build(sums) {
    const { boxes } = this.plan;
    const middle = ({ from }) => boxes[from].x + boxes[from].width / 2;
    const arriving = new Map();
    for (const sum of [...sums.values()].sort((one, other) => middle(one) - middle(other) || one.from - other.from)) {
      if (!arriving.has(sum.to)) arriving.set(sum.to, []);
      arriving.get(sum.to).push(sum);
    }
    this.lines.clear();
    for (const [to, all] of arriving) {
      all.forEach(({ from }, place) => {
        const share = (place + 1) / (all.length + 1);
        const line = new CallLine(boxes[from], boxes[to], share, all.length <= MOST_LABELS);
        this.lines.set(`${from} ${to}`, line);
      });
    }
    const made = [...this.lines.values()];
    this.element.replaceChildren(...made.map(({ element }) => element));
    this.labels.replaceChildren(...made.map(({ label }) => label).filter((label) => label !== null));
    this.mark();
  }

  /** The lines from and to this box are thicker from now on. */
  choose(box) {
    if (box === this.chosen) return;
    this.chosen = box;
    this.mark();
  }

  mark() {
    for (const [key, { element }] of this.lines)
      mark(element, "data-chosen", key.split(" ").includes(String(this.chosen)) ? "yes" : null);
  }
}

/** From a caller's box to a service's: from the graph down to it, or below both, from one service to another. */
class CallLine {
  constructor(caller, service, share, labelled) {
    this.names = `${caller.name} calls ${service.name}`;
    const x = caller.x + caller.width / 2;
    const y = caller.y + caller.height;
    const [to, top, bottom] = [service.x + service.width * share, service.y, service.y + service.height];
    const beside = caller.service;
    const end = beside ? bottom : top;
    const tip = end + (beside ? CALL_HEAD : -CALL_HEAD);
    const half = y + (top - RATE_ABOVE - y) * 0.6;
    const path = beside
      ? `M${x} ${y}C${x} ${y + CALL_ARC} ${to} ${bottom + CALL_ARC} ${to} ${tip}`
      : `M${x} ${y}C${x} ${half} ${to} ${top - 2 * RATE_ABOVE} ${to} ${top - RATE_ABOVE}V${tip}`;
    const head = `M${to} ${end}l${CALL_HEAD / 2 + 1} ${tip - end}h${-CALL_HEAD - 2}z`;
    this.element = svg(
      "g",
      { class: "sn-call-line" },
      svg("title", {}, ""),
      svg("path", { d: path, class: "sn-call-near" }),
      svg("path", { d: path }),
      svg("path", { d: head, class: "sn-call-head" }),
    );
    this.label = labelled && !beside ? this.labelAt(to, top - RATE_ABOVE) : null;
  }

  labelAt(x, y) {
    this.back = svg("rect", { x, y: y - 7, width: 0, height: 14, rx: 3 });
    this.text = svg("text", { x, y: y + 3.5, "text-anchor": "middle" }, "");
    this.middle = x;
    return svg("g", { class: "sn-call-rate" }, this.back, this.text);
  }

  paint({ calls, rate }) {
    const said = rate > 0 ? perSecond(rate) : "";
    mark(this.element, "data-busy", said === "" ? null : "yes");
    say(this.element.firstChild, printable(`${this.names}: ${callsText(calls)}${said && `, ${said}`}`, 300));
    if (this.label === null) return;
    mark(this.label, "display", said === "" ? "none" : null);
    if (!say(this.text, said)) return;
    const width = textWidth(said, RATE_PX) + 6;
    mark(this.back, "x", String(this.middle - width / 2));
    mark(this.back, "width", String(width));
  }
}
