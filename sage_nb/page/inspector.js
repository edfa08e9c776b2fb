// The inspector: whose facts are shown, and the tabs that show them.

import { counted, freshId, html, mark, printable, say } from "./elements.js";
import { AskTab } from "./ask_tab.js";
import { ErrorsTab } from "./errors_tab.js";
import { PacketTab } from "./packet_tab.js";
import { QueueTab } from "./queue_tab.js";
import { ServiceTab } from "./service_tab.js";
import { stateOf } from "./states.js";
import { TaskTab } from "./task_tab.js";

const TABS = [
  ["packet", "Packet", PacketTab],
  ["queue", "Queue", QueueTab],
  ["task", "Task", TaskTab],
  ["ask", "Ask", AskTab],
  ["service", "Service", ServiceTab],
  ["errors", "Errors", ErrorsTab],
];

export class Inspector {
  constructor(store, commands) {
    this.store = store;
    this.commands = commands;
    this.choice = html("select", {
      class: "sn-input sn-chosen",
      "aria-label": "Task or service",
      onchange: () => this.chosen(),
    });
    this.state = html("span", { class: "sn-faint-text sn-quoted" });
    const bar = html("div", {
      class: "sn-tabs",
      role: "tablist",
      "aria-label": "Inspector",
      onkeydown: (event) => this.walk(event),
    });
    this.tabs = TABS.map(([name, word, Tab]) => {
      const [tabId, panelId] = [freshId("tab"), freshId("panel")];
      const props = {
        type: "button",
        role: "tab",
        id: tabId,
        "aria-controls": panelId,
        class: "sn-tab",
        "data-tab": name,
      };
      const label = html("span", {}, word);
      const head = html("button", { ...props, onclick: () => this.activate(name) }, label);
      bar.append(head);
      const tab = new Tab(store, commands, this);
      const panel = html(
        "div",
        { role: "tabpanel", id: panelId, "aria-labelledby": tabId, tabindex: "0", class: "sn-panel" },
        tab.element,
      );
      return { name, word, head, label, tab, panel };
    });
    this.element = html(
      "section",
      { class: "sn-inspector", "aria-label": "Inspector" },
      html("div", { class: "sn-inspector-head" }, this.choice, this.state),
      bar,
      ...this.tabs.map((each) => each.panel),
    );
    store.on("plan", () => this.build());
    store.on("plan frame select packet commands events look way", () => this.paint());
    store.on("select", () => this.follow());
    store.on("packet", () => (store.packet ?? store.step) !== null && this.activate("packet"));
    store.on("fault", () => this.activate("errors"));
    this.active = "task";
    this.asked = false; // for a tab, though nothing is selected
    this.build();
    this.paint();
  }

  build() {
    const { plan } = this.store;
    const option = (row, index) => html("option", { value: index }, printable(row.name, 60));
    const group = (label, wanted) => {
      const options = plan.rows.map(option).filter((_, index) => this.store.isService(index) === wanted);
      return options.length > 0 ? html("optgroup", { label }, ...options) : null;
    };
    const none = html("option", { value: -1 }, "Select a task …");
    this.choice.replaceChildren(
      ...[none, group("Tasks", false), group("Services", true)].filter((each) => each !== null),
    );
  }

  chosen() {
    this.store.select(Number(this.choice.value));
  }

  /** Another row was selected: a tab that has nothing to say of it gives way. */
  follow() {
    const { selected } = this.store;
    this.asked = false;
    if (selected < 0) return this.paint();
    const service = this.store.isService(selected);
    if (service && this.active !== "service") this.activate("service");
    else if (!service && this.active === "service") this.activate("task");
    else this.current.tab.refresh();
  }

  get current() {
    return this.tabs.find((each) => each.name === this.active);
  }

  activate(name) {
    this.active = name;
    this.asked = true;
    this.paint();
    this.current.tab.refresh();
  }

  paint() {
    const { store } = this;
    const { frame, selected, row } = store;
    if (Number(this.choice.value) !== selected) this.choice.value = String(selected);
    const word = row === null ? "" : stateOf(frame.states[selected]).word;
    const now = store.past >= 0 ? `${word} now` : word; // looking back is for the graph alone
    const slim = row === null && !this.asked;
    say(this.state, slim ? "or click on it" : now);
    mark(this.element, "data-slim", slim ? "yes" : null);
    const asks = store.plan.rows.some((row) => row.asks !== undefined);
    if (!asks && this.active === "ask") this.active = "task";
    for (const { name, word: title, head, label, panel } of this.tabs) {
      if (name === "ask") head.hidden = !asks;
      const active = name === this.active;
      mark(head, "aria-selected", String(active));
      mark(head, "tabindex", active ? "0" : "-1");
      if (panel.hidden === active) panel.hidden = !active;
      if (name === "errors") say(label, [title, lettersText(frame)].join(" ").trim());
    }
    this.current.tab.paint();
  }

  walk(event) {
    const heads = this.tabs.map((each) => each.head).filter((head) => !head.hidden);
    const place = heads.indexOf(event.target);
    const next = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: heads.length - 1 }[event.key];
    if (place < 0 || next === undefined) return;
    event.preventDefault();
    const head = heads[(next + heads.length) % heads.length];
    const { name } = this.tabs.find((each) => each.head === head);
    this.activate(name);
    head.focus();
  }

  /** Show what is selected, and give it the focus. */
  open() {
    if (this.active === "packet" || this.active === "errors") this.activate("task");
    else this.current.tab.refresh();
    this.current.head.focus();
  }

  /** Go to where a value can be injected. */
  inject() {
    this.activate("queue");
    this.tabs.find((each) => each.name === "queue").tab.focusInject();
  }

  close() {
    for (const { tab } of this.tabs) tab.close?.();
  }
}

/** How many dead letters are kept, and of how many, where some have gone. */
function lettersText({ letters, letters_total: total }) {
  if (letters === 0) return "";
  return total > letters ? `${counted(letters)} of ${counted(total)}` : counted(letters);
}
