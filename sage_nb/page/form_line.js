// The last line of a form out of ipywidgets: what came of a click, and whether its kernel is still there. Where it is
// not, nothing in the form can be typed or pressed, and each field says why.

import { html, mark, printable, say } from "./elements.js";
import { Connection } from "./connection.js";
import { Visibility } from "./visibility.js";

const FIELDS = "input, select, textarea, button";

let lines = 0;

export class FormLine {
  constructor(model, host) {
    this.model = model;
    this.host = host;
    this.name = `form-${++lines}-${Math.random().toString(36).slice(2, 10)}`;
    this.mounted = false;
    this.stopped = new Map(); // the fields that cannot be used since the kernel has gone, and their titles before
    this.lost = html("div", { class: "sn-line-lost", role: "status", hidden: true });
    this.said = html("div", { class: "sn-line-said", "aria-live": "polite" });
    this.root = html("div", { class: "sage-nb-line" }, this.lost, this.said);
    host.append(this.root);
    this.connection = new Connection(model, () => this.linked());
    this.heard = () => {
      this.connection.heard();
      say(this.said, printable(this.model.get("said"), 1000));
    };
    model.on("change:said", this.heard);
    model.on("msg:custom", this.heard);
    say(this.said, printable(model.get("said"), 1000));
    this.visibility = new Visibility(this.root, (seen) => this.mount(seen));
    this.mount(true);
  }

  /** Tell the kernel whether somebody sees this: it says that it is there only to those. */
  mount(seen) {
    if (seen === this.mounted) return;
    this.mounted = seen;
    this.tell(seen ? "mount" : "unmount");
    this.connection.watch(seen);
  }

  tell(cmd) {
    this.model.send({ cmd, args: { view: this.name }, id: `${this.name}-${cmd}` });
  }

  linked() {
    const { reason } = this.connection;
    this.lost.hidden = reason === "";
    say(this.lost, reason === "" ? "" : `This form can do nothing: ${reason}.`);
    if (reason === "") this.start();
    else this.stop(reason);
    if (reason === "" && this.mounted) this.tell("mount"); // it may have missed that somebody sees this
  }

  stop(reason) {
    for (const field of this.host.closest(".sage-nb-form")?.querySelectorAll(FIELDS) ?? []) {
      if (!this.stopped.has(field)) {
        if (field.disabled) continue;
        this.stopped.set(field, field.getAttribute("title"));
        field.disabled = true;
      }
      mark(field, "title", reason);
    }
  }

  start() {
    for (const [field, title] of this.stopped) {
      field.disabled = false;
      mark(field, "title", title);
    }
    this.stopped.clear();
  }

  close() {
    this.visibility.close();
    this.model.off("change:said", this.heard);
    this.model.off("msg:custom", this.heard);
    this.mount(false);
    this.connection.close();
    this.root.remove();
  }
}
