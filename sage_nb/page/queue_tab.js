// The queue of the selected row: its lanes, its packets, and what can be done with them while it is paused.

import { meter, paintMeter } from "./depths_and_stops.js";
import { Control } from "./controls.js";
import { counted, freshId, html, mark, printable, quoted, say } from "./elements.js";
import { actions, group, heading, labelled, renew, textField, ValueField } from "./forms.js";
import { icon } from "./icons.js";
import { Throttle } from "./throttle.js";
import { reasonFor } from "./reasons.js";
import { kindOf, signalText } from "./signals.js";

const PAGE = 100;
const MOST = 1_000; // of which the kernel remembers which is which
const PEEK_MS = 500;
const LOOKED_AT = 200; // a queue of at most so many packets is looked at again whenever it changes

export class QueueTab {
  constructor(store, commands, inspector) {
    Object.assign(this, { store, commands, inspector });
    this.queue = null;
    this.token = null; // of the selected packet
    this.options = []; // the elements of the packets
    this.many = PAGE; // so many are looked at, from the front
    this.editing = null;
    this.seen = "";
    this.throttle = new Throttle(PEEK_MS, () => this.peek());
    this.build();
  }

  build() {
    const { store, commands } = this;
    const control = (word, glyph, rule, act, more = {}) =>
      new Control(word, glyph, { why: () => reasonFor(rule, store, this.picked()), act, ...more });
    const token = () => ({ token: this.token });
    this.head = html("div", { class: "sn-queue-head" });
    this.bar = meter();
    this.lanes = html("div");
    this.calls = html("div");
    this.note = html("span", { class: "sn-hint" });
    const keys = (event) => this.walk(event);
    const props = {
      class: "sn-packets",
      role: "listbox",
      tabindex: "0",
      "aria-label": "Waiting packets",
      onkeydown: keys,
    };
    this.list = html("div", props);
    this.controls = {
      look: control("Inspect", null, "full", () => store.look(this.picked().packet)),
      edit: control("Edit", null, "change_packet", () => this.edit()),
      drop: control("Drop", "cross", "change_packet", () => this.change("drop", token()), {
        wait: () => commands.waits("drop"),
      }),
      up: control("Earlier", "up", "move_up", () => this.move(-1), { wait: () => commands.waits("move") }),
      down: control("Later", "down", "move_down", () => this.move(1), { wait: () => commands.waits("move") }),
      undo: control("Undo", "undo", "change_queue", () => this.change("undo", {}), {
        wait: () => commands.waits("undo"),
      }),
      inject: control("Inject", "plus", "inject", () => {}, { wait: () => commands.waits("inject") }),
      more: control("Show 100 more", "down", "peek", () => this.showMore()),
      refresh: control("Refresh", null, "peek", () => this.peek()),
    };
    const { look, edit, drop, up, down, undo, inject, more, refresh } = this.controls;
    this.paging = actions(more);
    this.editor = html("div", { hidden: true, onkeydown: (event) => this.leaveEditor(event) });
    this.value = textField({ class: "sn-input sn-code", placeholder: "a Python literal, such as 3 or 'text'" });
    this.typed = new ValueField(store, "Inject a value", this.value);
    this.input = html("select", { class: "sn-input" });
    this.inputField = labelled("Input", this.input);
    const submit = (event) => {
      event.preventDefault(); // and what the button itself would do is done here, for the Enter key too
      inject.refresh();
      if (inject.reason === "") this.sendValue();
      else commands.noted(inject.reason, "refused");
    };
    this.form = html(
      "form",
      { class: "sn-inject", onsubmit: submit },
      this.typed.element,
      this.inputField,
      inject.element,
    );
    inject.button.type = "submit";
    this.nothing = html("p", { class: "sn-hint" }, "Select a task in the graph or in the table.");
    const line = html("div", { class: "sn-heading-line" }, heading("Packets"), this.note, refresh.element);
    this.groups = html(
      "div",
      { class: "sn-groups" },
      group(this.head, this.bar.element, this.lanes, this.calls, this.form),
      group(line, this.list, this.paging, actions(look, edit, drop, up, down, undo), this.editor),
    );
    this.element = html("div", {}, this.nothing, this.groups);
  }

  /** The selected packet and where it is in its lane, for the table of reasons. */
  picked() {
    const packet = this.queue?.packets.find((each) => each.token === this.token) ?? null;
    if (packet === null) return { packet };
    const lane = this.queue.packets.filter((each) => each.producer === packet.producer);
    return { packet, lastOfLane: lane.at(-1) === packet && this.queue.depth <= this.queue.packets.length };
  }

  refresh() {
    this.paint();
    this.throttle.soon();
  }

  async peek() {
    const { row } = this.store;
    if (row === null || row.capacity <= 0 || this.store.frame.state === "new") return;
    const ack = await this.commands.ask("peek", { task: row.name, first: this.many, last: 0 });
    if (!ack.ok || this.store.row?.name !== row.name) return;
    this.queue = ack.result ?? null;
    this.paint();
  }

  showMore() {
    this.many = Math.min(MOST, this.many + PAGE);
    this.throttle.now();
  }

  /** A command that changes the queue; it is looked at again afterwards. */
  async change(cmd, args) {
    const ack = await this.commands.order(cmd, args);
    this.throttle.now();
    return ack.ok;
  }

  move(by) {
    const { packet } = this.picked();
    this.change("move", { token: packet.token, to: packet.index + by });
  }

  edit() {
    const { packet } = this.picked();
    this.editing = packet.token;
    const field = html("textarea", { class: "sn-input sn-code", rows: 3, spellcheck: "false" });
    field.value = packet.literal ?? "";
    const hint =
      packet.literal === null ? "It cannot be written as a Python literal: type what shall take its place." : "";
    const typed = new ValueField(this.store, "New value, a Python literal", field, hint);
    const close = () => this.closeEditor();
    const apply = new Control("Apply", "check", {
      why: () => reasonFor("change_packet", this.store, { packet: this.picked().packet }),
      act: async () => (await this.change("edit", { token: packet.token, ...typed.value() })) && close(),
      wait: () => this.commands.waits("edit"),
    });
    this.controls.apply = apply;
    const cancel = new Control("Cancel", null, { why: () => "", act: close });
    this.editor.replaceChildren(typed.element, actions(apply, cancel));
    this.editor.hidden = false;
    field.focus();
  }

  closeEditor() {
    this.editing = null;
    this.editor.hidden = true;
    this.list.focus();
  }

  leaveEditor(event) {
    if (event.key !== "Escape") return;
    event.preventDefault();
    this.closeEditor();
  }

  async sendValue() {
    const { row } = this.store;
    const args = { task: row.name, ...this.typed.value(), input: Number(this.input.value || 0) };
    if (await this.change("inject", args)) this.value.select();
  }

  focusInject() {
    this.value.focus();
  }

  walk(event) {
    const packets = this.queue?.packets ?? [];
    const place = packets.findIndex((each) => each.token === this.token);
    const next = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: packets.length - 1 }[event.key];
    if (event.key === "Enter" && place >= 0) this.store.look(packets[place]);
    else if (next === undefined || packets.length === 0) return;
    else this.pick(packets[Math.max(0, Math.min(packets.length - 1, next))]);
    event.preventDefault();
  }

  pick(packet) {
    this.token = packet.token;
    this.paint();
    this.list.querySelector("[aria-selected='true']")?.scrollIntoView({ block: "nearest" });
  }

  paint() {
    const { store } = this;
    const { frame, selected, row } = store;
    if (this.queue !== null && this.queue.task !== row?.name) this.forget();
    if (row !== null && row.name !== this.owner) this.many = PAGE;
    this.owner = row?.name;
    this.nothing.hidden = row !== null;
    this.groups.hidden = row === null;
    this.paintHead(frame, selected, row);
    this.paintPackets();
    for (const control of Object.values(this.controls)) control.refresh();
    // What waits has changed since it was looked at: look again, if it is little.
    const now =
      row === null
        ? ""
        : `${selected} ${frame.depths[selected]} ${frame.processed[selected]} ${frame.open?.[selected]} ${store.history.revision}`;
    if (now !== this.seen && store.visible) {
      this.seen = now;
      if (row !== null && frame.depths[selected] <= LOOKED_AT) this.throttle.soon();
    }
  }

  forget() {
    this.queue = null;
    this.token = null;
    this.editor.hidden = true;
  }

  paintHead(frame, selected, row) {
    const depth = row === null ? 0 : frame.depths[selected];
    const capacity = row?.capacity ?? 0;
    say(
      this.head,
      capacity > 0
        ? `${counted(depth)} of ${counted(capacity)} places taken`
        : "It has no queue: it makes its packets itself.",
    );
    this.bar.element.hidden = capacity === 0;
    paintMeter(this.bar, depth, capacity);
    const depths = row === null ? undefined : (frame.lanes[selected] ?? frame.lanes[String(selected)]);
    renew(this.lanes, depths === undefined ? null : [selected, depths], () => this.laneList(row, depths));
    const open = row?.calls > 0 ? (frame.open?.[selected] ?? 0) : -1;
    renew(this.calls, [open, row?.calls, this.queue?.open], () => this.openCalls(row, open));
    const inputs = row?.inputs ?? 1;
    this.inputField.hidden = inputs < 2;
    renew(this.input, inputs, () =>
      Array.from({ length: inputs }, (_, at) => html("option", { value: at }, String(at))),
    );
  }

  /** How many calls are open, which is under way longest, and the packets of the others. */
  openCalls(row, open) {
    if (open < 0) return [];
    const packets = this.queue?.open ?? [];
    const lines = packets.map((text, place) =>
      html("li", {}, quoted(text, { limit: 120, look: "sn-code" }), place === 0 ? html("span", { class: "sn-hint" }, "longest") : null),
    );
    const line = html("div", { class: "sn-heading-line" }, heading("Open calls"));
    line.append(html("span", { class: "sn-hint" }, `${counted(open)} of ${counted(row.calls)}, oldest first`));
    const props = { class: "sn-open-calls", tabindex: "0", "aria-label": "Open calls, oldest first" };
    return [line, lines.length > 0 ? html("ol", props, ...lines) : null];
  }

  laneList(row, depths) {
    if (depths === undefined || depths.length === 0) return [];
    const lanes = depths.map((depth, place) => ({
      depth,
      producer: place === 0 ? "hand" : row.producers[place - 1],
      hand: place === 0,
    }));
    const most = Math.max(1, ...depths);
    const shown = lanes.slice(0, 65);
    return html(
      "ul",
      { class: "sn-lanes", "aria-label": "Lanes" },
      ...shown.map(({ depth, producer, hand }) => {
        const bar = meter();
        paintMeter(bar, depth, most);
        mark(bar.element, "data-level", null);
        const name = hand ? html("span", {}, "your hand") : quoted(producer, { limit: 40 });
        return html("li", {}, name, bar.element, html("span", { class: "sn-depth-number" }, counted(depth)));
      }),
    );
  }

  paintPackets() {
    const packets = this.queue?.packets ?? [];
    const depth = this.queue?.depth ?? 0;
    say(
      this.note,
      depth > packets.length
        ? `showing ${counted(packets.length)} of ${counted(depth)}`
        : this.queue === null
          ? ""
          : "showing all",
    );
    this.paging.hidden = depth <= packets.length || this.many >= MOST;
    renew(this.list, [packets, this.queue?.signals, depth > packets.length], () => this.lines(packets));
    this.list.hidden = this.list.childElementCount === 0;
    const place = packets.findIndex((each) => each.token === this.token);
    packets.forEach((_, at) => mark(this.options[at], "aria-selected", String(at === place)));
    mark(this.list, "aria-activedescendant", place < 0 ? null : this.options[place].id);
  }

  /** The signals among the packets that are shown. */
  get signals() {
    const { signals = [], packets = [], depth = 0 } = this.queue ?? {};
    return signals.filter(({ index }) => index < packets.length || packets.length === depth);
  }

  /** Packets and signals in their order; `options` are those of the packets. */
  lines(packets) {
    this.options = packets.map((packet, place) => this.packet(packet, place));
    const lines = [];
    for (let place = 0; place <= packets.length; place++) {
      for (const signal of this.signals) if (signal.index === place) lines.push(this.signal(signal));
      if (place < packets.length) lines.push(this.options[place]);
    }
    return lines;
  }

  signal(signal) {
    const text = signalText(signal);
    const props = {
      class: "sn-packet sn-signal-line",
      role: "option",
      "aria-disabled": "true",
      "aria-selected": "false",
    };
    const sign = icon("octagon");
    sign.dataset.kind = kindOf(signal);
    return html("div", { ...props, "aria-label": `signal: ${text}` }, sign, quoted(text, { limit: 120 }));
  }

  packet(packet, place) {
    const parts = [
      html("span", { class: "sn-packet-place" }, counted(place + 1)),
      quoted(packet.text, { limit: 120, look: "sn-code sn-packet-text" }),
      packet.key === null || packet.key === undefined
        ? null
        : html("span", { class: "sn-packet-key" }, "key ", quoted(packet.key, { limit: 20 })),
      html(
        "span",
        { class: "sn-packet-from" },
        quoted(packet.producer === "hand" ? "your hand" : packet.producer, { limit: 24 }),
      ),
    ];
    const props = { class: "sn-packet", role: "option", id: freshId("packet"), "aria-selected": "false" };
    const label = printable(`${place + 1}: ${packet.text}`, 200);
    return html(
      "div",
      { ...props, "aria-label": label, onclick: () => this.pick(packet), ondblclick: () => this.store.look(packet) },
      ...parts,
    );
  }

  close() {
    this.throttle.close();
  }
}
