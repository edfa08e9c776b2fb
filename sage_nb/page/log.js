// What has happened, in words: the newest as a line that is read aloud, not more often than a listener can follow, and
// the last of them as a list.

import { counted, html, printable, quoted, say, seconds } from "./elements.js";
import { Throttle } from "./throttle.js";

const SAYING_MS = 1_000;
const LISTED = 200;

/** `3.2 s  count: received stop from split#1: 2 of 2, ending` */
export function eventText(store, { row, text }) {
  const name = store.plan.rows[row]?.name;
  return name === undefined ? text : `${name}: ${text}`;
}

export class Log {
  constructor(store) {
    this.store = store;
    this.time = html("span", { class: "sn-log-time" });
    this.text = html("span", { class: "sn-quoted" });
    this.line = html(
      "div",
      { class: "sn-log-line", "aria-live": "polite", "aria-atomic": "true" },
      this.time,
      this.text,
    );
    this.list = html("ol", { class: "sn-log-list", tabindex: "0", "aria-label": "What has happened, newest first" });
    this.count = html("span");
    const summary = html("summary", {}, this.count);
    this.all = html("details", { class: "sn-log-all", ontoggle: () => this.paintList() }, summary, this.list);
    this.element = html("section", { class: "sn-log", "aria-label": "Log" }, this.line, this.all);
    this.throttle = new Throttle(SAYING_MS, () => this.paint());
    this.said = null;
    this.listed = null;
    store.on("plan frame events", () => this.throttle.soon());
    this.paint();
  }

  paint() {
    const { events, revision } = this.store.history;
    const last = events.at(-1);
    this.element.classList.toggle("sn-empty", last === undefined);
    const name = `${revision} ${last?.number}`;
    if (name === this.said) return;
    const missed = this.said === null || last === undefined ? 0 : last.number - (this.number ?? last.number) - 1;
    this.said = name;
    this.number = last?.number;
    say(this.time, last === undefined ? "" : seconds(last.at_s));
    const more = missed > 0 ? ` (and ${counted(missed)} more)` : "";
    say(
      this.text,
      last === undefined ? "nothing has happened yet" : `${printable(eventText(this.store, last), 300)}${more}`,
    );
    say(this.count, `all ${counted((last?.number ?? -1) + 1)}`);
    this.paintList();
  }

  paintList() {
    const { events } = this.store.history;
    if (!this.all.open || this.listed === this.said) return;
    this.listed = this.said;
    const newest = events.slice(-LISTED).reverse();
    this.list.replaceChildren(
      ...newest.map((each) =>
        html(
          "li",
          {},
          html("span", { class: "sn-log-time" }, seconds(each.at_s)),
          quoted(eventText(this.store, each), { limit: 300 }),
        ),
      ),
    );
  }

  close() {
    this.throttle.close();
  }
}
