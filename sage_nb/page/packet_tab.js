// The packet that is looked at: all that is known of it, and on demand its whole repr.

import { Control } from "./controls.js";
import { counted, html, numbered, printable, quoted } from "./elements.js";
import { actions, factList, group, heading, reading, renew } from "./forms.js";
import { reasonFor } from "./reasons.js";

export class PacketTab {
  constructor(store, commands, inspector) {
    this.store = store;
    this.commands = commands;
    this.inspector = inspector;
    this.full = null; // the whole repr, of the packet with `token`
    this.facts = html("div");
    this.whole = html("div");
    this.sent = html("div");
    this.from = html("div");
    this.control = new Control("Show full repr", null, {
      why: () => reasonFor("full", store, { packet: store.packet }),
      act: () => this.showFull(),
      wait: () => commands.waits("full"),
      hint: "runs the payload's own code; bounded in time and length",
    });
    this.origin = null; // where it comes from, of the packet with `token`
    this.why = new Control("Where from", null, {
      why: () => reasonFor("why", store, { packet: store.packet }),
      act: () => this.explain(),
      wait: () => commands.waits("why"),
      hint: "lights the way that it has come, down to the items of sources",
    });
    this.buttons = actions(this.why, this.control);
    this.element = html("div", { class: "sn-groups" }, group(this.facts, this.buttons), group(this.from, this.sent, this.whole));
  }

  refresh() {
    this.paint();
  }

  async showFull() {
    const { token } = this.store.packet;
    const ack = await this.commands.order("full", { token });
    if (ack.ok) this.full = { token, ...ack.result };
    this.paint();
  }

  /** Say where it comes from, and light the way; pressed again, put that out. */
  async explain() {
    const { token } = this.store.packet;
    if (this.origin?.token === token) this.origin = null;
    else {
      const ack = await this.commands.order("why", { token });
      if (ack.ok) this.origin = { token, ...ack.result };
    }
    this.paint();
  }

  paint() {
    const { packet, step } = this.store;
    const origin = this.origin !== null && this.origin.token === packet?.token ? this.origin : null;
    this.store.light(origin, this);
    this.why.refresh();
    renew(this.from, origin, () =>
      origin === null ? [] : [heading("Where it comes from"), reading(origin.text, "Where it comes from")],
    );
    this.buttons.hidden = packet === null;
    renew(this.facts, [packet, step], () =>
      packet !== null ? this.card(packet) : step === null ? this.nothing() : this.drawn(),
    );
    renew(this.sent, step, () => (step === null ? [] : this.outputs(step)));
    this.control.refresh();
    const full = this.full !== null && this.full.token === packet?.token ? this.full : null;
    renew(this.whole, full, () => {
      if (full === null) return [];
      const cut = full.cut > 0 ? html("p", { class: "sn-hint" }, `${numbered(full.cut, "character")} left out`) : null;
      return [heading(`Full repr · ${printable(full.kind, 60)}`), reading(full.text, "Full repr"), cut];
    });
  }

  nothing() {
    return html(
      "p",
      { class: "sn-hint" },
      "No packet yet. Select one in a queue, or take a step: the packet it took is shown here.",
    );
  }

  drawn() {
    return html("p", { class: "sn-hint" }, "It took nothing from a queue.");
  }

  /** What a step has made of it: each packet, and the task that it was sent to. */
  outputs({ text, sent, more }) {
    const line = (packet) => {
      const look = () => this.store.look(packet);
      const shown = quoted(packet.text, { limit: 200, look: "sn-code" });
      const open = html("button", { type: "button", class: "sn-link", onclick: look }, shown);
      return html("li", {}, open, html("span", { class: "sn-faint-text" }, "to"), this.linkTo(packet.task));
    };
    const left = more > 0 ? html("p", { class: "sn-hint" }, `${counted(more)} more`) : null;
    return [
      heading("The step"),
      html("p", { class: "sn-quoted-lines sn-hint" }, printable(text, 500)),
      heading(sent.length > 0 ? "What it sent" : "It sent nothing"),
      html("ul", { class: "sn-sent" }, ...sent.map(line)),
      left,
    ];
  }

  /** A task's name as a way to it. */
  linkTo(name) {
    const index = this.store.indexOf(name);
    if (index < 0) return name;
    const go = () => {
      this.store.select(index);
      this.inspector.activate(this.store.isService(index) ? "service" : "task");
    };
    return html("button", { type: "button", class: "sn-link", onclick: go }, quoted(name, { limit: 60 }));
  }

  card(packet) {
    const traced =
      packet.id === null || packet.id === undefined
        ? []
        : [
            ["Id", packet.id],
            ["Parents", packet.parents.length > 0 ? packet.parents.slice(0, 20).join(", ") : "none"],
            ["Made at", packet.timestamp === null ? "" : `${packet.timestamp.toFixed(3)} s`],
          ];
    return [
      reading(packet.text, "Preview of the payload"),
      factList([
        ["Type", packet.size ? `${packet.kind}, ${packet.size}` : packet.kind],
        ["Key", packet.key],
        ["Queue of", this.linkTo(packet.task)],
        ["From", packet.producer === "hand" ? "your hand" : this.linkTo(packet.producer)],
        ["In its lane", `number ${counted(packet.index + 1)}`],
        ["Input", packet.input > 0 ? String(packet.input) : ""],
        ["As Python", packet.literal !== null && packet.literal !== packet.text ? packet.literal : ""],
        ...traced,
      ]),
    ];
  }
}
