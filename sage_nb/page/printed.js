// What user code has printed in a run that was started here: there is no cell where it could be seen.

import { html, numbered, printableLines, say } from "./elements.js";
import { Throttle } from "./throttle.js";

const ASKING_MS = 300;
const KEPT = 1_000;

export class Printed {
  constructor(store, commands) {
    Object.assign(this, { store, commands });
    this.count = html("span");
    this.text = html("pre", {
      class: "sn-printed-text sn-quoted-lines",
      tabindex: "0",
      "aria-label": "Printed, newest last",
    });
    this.element = html(
      "details",
      { class: "sn-printed", hidden: true, open: true, ontoggle: () => this.throttle.soon() },
      html("summary", {}, this.count),
      this.text,
    );
    this.forget();
    this.throttle = new Throttle(ASKING_MS, () => this.look());
    store.on("plan frame", () => this.paint());
    this.paint();
  }

  forget() {
    this.lines = [];
    this.next = 0; // the number of the first line that is not known
    this.revision = this.store.plan.revision;
  }

  async look() {
    const { frame } = this.store;
    if (!this.element.open || this.asking || this.next === frame.printed) return;
    if (this.next > frame.printed) this.forget();
    this.asking = true;
    const { revision } = this;
    const ack = await this.commands.ask("printed", { first: this.next });
    this.asking = false;
    if (revision !== this.revision || !ack.ok || !Array.isArray(ack.result?.lines)) return;
    const { first, lines } = ack.result;
    this.lines = [...this.lines, ...lines].slice(-KEPT);
    this.next = first + lines.length;
    const below = this.text.scrollHeight - this.text.scrollTop - this.text.clientHeight < 24;
    say(this.text, printableLines(this.lines.join("\n")));
    if (below) this.text.scrollTop = this.text.scrollHeight;
    this.paint();
  }

  paint() {
    const { plan, frame } = this.store;
    if (plan.revision !== this.revision) this.forget();
    const printed = frame.printed ?? 0;
    this.element.hidden = printed === 0;
    say(this.count, `printed: ${numbered(printed, "line")}`);
    if (printed !== this.next) this.throttle.soon();
  }

  close() {
    this.throttle.close();
  }
}
