// The view: puts the parts together that are asked for, and takes everything away again at the end.

import { Depths, Stops } from "./depths_and_stops.js";
import { Commands } from "./commands.js";
import { html, say } from "./elements.js";
import { ErrorsTab } from "./errors_tab.js";
import { FormLine } from "./form_line.js";
import { Graph, READABLE } from "./graph.js";
import { Inspector } from "./inspector.js";
import { listenToKeys } from "./keys.js";
import { Connection } from "./connection.js";
import { Log } from "./log.js";
import { Visibility } from "./visibility.js";
import { Printed } from "./printed.js";
import { allHeld, reasonFor } from "./reasons.js";
import { Store } from "./store.js";
import { Table } from "./table.js";
import { Timeline } from "./timeline.js";
import { PythonLine, stepped, Toolbar } from "./toolbar.js";
import { Values } from "./values.js";

const INSPECTOR_PX = 400;
const TABLE_PX = 760;

let views = 0;

class View {
  constructor(model, root) {
    this.model = model;
    this.name = `view-${++views}-${Math.random().toString(36).slice(2, 10)}`;
    this.store = new Store(model, this.name);
    this.commands = new Commands(model, this.name, () => this.store.changed("commands"));
    this.connection = new Connection(model, () => this.linked());
    this.parts = new Set(model.get("parts") ?? []);
    this.closers = [];
    this.mounted = false;
    this.host = root;
    this.host.classList.add("sage-nb-host");
    this.lost = html("div", { class: "sn-banner sn-lost", role: "status", hidden: true });
    this.root = html("div", { class: "sage-nb-view" }, this.lost);
    this.compose();
    root.append(this.root);
    this.listen();
    this.mount(true);
  }

  compose() {
    const { store, commands, parts, root } = this;
    const has = (part) => parts.has(part);
    if (has("toolbar")) {
      this.toolbar = new Toolbar(store, commands, { choice: has("graph") && has("table") });
      this.python = new PythonLine(store, commands);
      root.append(this.toolbar.element, this.python.element);
    }
    const main = (this.main = html("div", { class: "sn-main" }));
    if (has("graph")) main.append((this.graph = new Graph(store)).element);
    if (has("table")) main.append((this.table = new Table(store)).element);
    if (has("inspector")) main.append((this.inspector = new Inspector(store, commands)).element);
    root.append(main);
    main.hidden = main.childElementCount === 0;
    if (has("timeline")) {
      this.timeline = new Timeline(store);
      main.before(this.timeline.banner);
      root.append(this.timeline.element);
    }
    if (has("depths")) root.append((this.depths = new Depths(store)).element);
    if (has("stops")) root.append((this.stops = new Stops(store)).element);
    if (has("errors")) root.append((this.errors = new ErrorsTab(store, commands)).element);
    if (has("log")) {
      root.append((this.log = new Log(store)).element, (this.printed = new Printed(store, commands)).element);
    }
    this.follows = has("timeline") || has("log");
    store.on("plan frame", () => this.catchUp());
    store.on("plan select", () => this.watch());
    root.classList.toggle("sn-alone", parts.size === 1);
    root.dataset.parts = [...parts].join(" ");
    this.choose();
    store.dirty.clear(); // the parts were made of all that there is
    this.catchUp();
  }

  /** Ask for what this page has missed: frames and events from before it was there, and any gap of the latter. */
  async catchUp() {
    const { history, frame } = this.store;
    if (!this.follows || frame.number < 0) return;
    if (this.timeline) this.askPast();
    const first = this.asked === history.revision ? history.missing : 0;
    if (first < 0 || this.asking) return;
    this.asked = history.revision;
    this.asking = true;
    const [ack, film] = await Promise.all([
      this.commands.ask("events", { first }),
      first === 0 && frame.number > 0 ? this.commands.ask("frames") : null,
    ]);
    this.asking = false;
    if (this.asked !== history.revision) return;
    history.precede((film?.result?.frames ?? []).filter(({ revision }) => revision === frame.revision));
    history.add(ack.ok ? (ack.result?.events ?? []) : [], first);
    this.store.changed("events");
  }

  /** Ask what there was while nobody looked, once for each time that nobody did. */
  async askPast() {
    const { history } = this.store;
    const gaps = history.gaps();
    if (this.askingPast || !history.past.lacks(gaps)) return;
    this.askingPast = true;
    const { past } = history;
    const ack = await this.commands.ask("past");
    this.askingPast = false;
    past.hear(ack.ok ? ack.result : { rows: [], until_s: 0, note: "" }, gaps.at(-1)[1]);
    this.store.changed("events");
  }

  /** Graph and table: one of them is shown where both are there. */
  choose() {
    if (this.graph && this.table) {
      const table = this.model.get("shown") === "table";
      this.graph.element.hidden = table;
      this.table.element.hidden = !table;
    }
    this.store.changed("look");
    this.place();
  }

  /** The inspector stands beside the graph where both have room, else below it. */
  place() {
    if (!this.inspector) return;
    const wanted = this.table && !this.table.element.hidden ? TABLE_PX : (this.graph?.width ?? 0) * READABLE;
    this.main.classList.toggle("sn-below", this.root.clientWidth < wanted + INSPECTOR_PX);
    this.graph?.refit();
  }

  listen() {
    const { model, store } = this;
    const on = (event, act) => {
      model.on(event, act);
      this.closers.push(() => model.off(event, act));
    };
    const heard = (read) => () => {
      this.connection.heard();
      read();
      this.connection.watch(this.mounted && !store.frame.closed);
    };
    on(
      "change:plan",
      heard(() => store.readPlan()),
    );
    on(
      "change:frame",
      heard(() => store.readFrame()),
    );
    on(
      "msg:custom",
      heard(() => {}),
    );
    on("msg:custom", (content) => content?.lit !== undefined && store.light(content.lit, this));
    on("change:shown", () => this.choose());
    on("change:collapse_beyond", () => store.redraw());
    this.closers.push(listenToKeys(this.root, store, this.doings()));
    this.visibility = new Visibility(this.root, (seen) => this.mount(seen));
    this.resized = new ResizeObserver(() => requestAnimationFrame(() => this.place()));
    this.resized.observe(this.root);
    store.on("plan", () => this.place());
  }

  /** The kernel has gone, or is there again. */
  linked() {
    const { reason } = this.connection;
    this.store.gone = reason;
    this.lost.hidden = reason === "";
    say(this.lost, reason === "" ? "" : `This is how it was last seen: ${reason}.`);
    this.commands.connected(reason);
    this.root.classList.toggle("sn-gone", reason !== "");
    for (const kind of ["frame", "commands", "look"]) this.store.changed(kind);
    if (reason === "" && this.mounted) {
      this.commands.tell("mount", { view: this.name }); // it may have missed that this page looks
      this.watch();
    }
  }

  /** Tell the kernel whether somebody can see this view: it looks at the job only for those. */
  mount(visible) {
    if (visible === this.mounted) return;
    this.mounted = visible;
    this.store.show(visible);
    this.commands.tell(visible ? "mount" : "unmount", { view: this.name });
    this.connection.watch(visible && !this.store.frame.closed);
    if (visible && this.store.selected >= 0) this.watch();
  }

  /** Say whose lanes frames are to tell. */
  watch() {
    if (this.inspector) this.commands.tell("watch", { view: this.name, row: this.store.selected });
  }

  doings() {
    const { store, commands } = this;
    const shownPart = () => (this.table && !this.table.element.hidden ? this.table : this.graph);
    const ordered = (control, cmd) => {
      const reason = reasonFor(control, store);
      if (reason) commands.noted(reason, "refused");
      else if (cmd === "step") stepped(store, commands, store.row.name);
      else commands.order(cmd, cmd === "back" ? {} : { name: store.row.name });
    };
    return {
      move: (index) => {
        store.select(index);
        shownPart()?.focus(index);
      },
      inspect: (index) => {
        store.select(index);
        this.inspector?.open();
      },
      toggle: () =>
        reasonFor("pause_task", store) === "" ? ordered("pause_task", "pause") : ordered("resume_task", "resume"),
      // A key that is held down takes one step after the other; one that is pressed again means another.
      takeBack: (held) => (held && commands.waiting("back") > 0 ? undefined : ordered("back", "back")),
      step: (held) => (held && commands.waiting("step") > 0 ? undefined : ordered("step_task", "step")),
      fold: (place) => this.graph?.fold(place, { focus: true }),
      toggleAll: (place) => {
        const { rows, name } = store.plan.boxes[place];
        const reason = reasonFor("pause_operator", store, { rows, name });
        if (reason) commands.noted(reason, "refused");
        else commands.order(allHeld(rows, store.frame) ? "resume" : "pause", { name });
      },
      notAll: (place) => {
        const { name, rows } = store.plan.boxes[place];
        commands.noted(`${name} is ${rows.length} tasks: open it (Enter) and choose one`, "refused");
      },
      inject: () => this.inspector?.inject(),
      back: (event) => {
        if (event.target.closest(".sn-graph, .sn-table") !== null) return false;
        const part = shownPart();
        if (!part) return false;
        part.focus();
        return true;
      },
    };
  }

  close() {
    this.visibility.close();
    this.resized.disconnect();
    for (const close of this.closers) close();
    const { graph, table, toolbar, inspector, timeline, errors, log, printed } = this;
    for (const part of [graph, table, toolbar, inspector, timeline, errors, log, printed]) part?.close?.();
    this.mount(false);
    this.connection.close();
    this.store.close();
    this.commands.close();
    this.root.remove();
    this.host.classList.remove("sage-nb-host");
  }
}

const ALONE = { form: FormLine, values: Values };

export function render({ model, el }) {
  const shown = new (ALONE[(model.get("parts") ?? [])[0]] ?? View)(model, el);
  return () => shown.close();
}
