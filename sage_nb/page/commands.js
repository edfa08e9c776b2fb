// Commands to the kernel and their answers. Each gets one answer; until then the same command is not sent again, but for
// a step: who presses twice means two. The kernel carries them out in order.

const BUSY_MS = 1_000;
const KEPT_LINES = 1_000;
const REPEATED = new Set(["step", "back"]);
const MOST_REPEATED = 16; // that wait for an answer, so that none goes on for long after the last press

export const BUSY_TEXT = "kernel busy: will apply after the cell";
export const SLOW_TEXT = "no answer yet: it is still being carried out";

export class Commands {
  constructor(model, view, onChange) {
    this.model = model;
    this.view = view;
    this.onChange = onChange;
    this.pending = new Map(); // by id
    this.number = 0;
    this.lines = []; // of Python, those that did something
    this.note = { text: "", kind: "" }; // what came of the last command
    this.timer = 0;
    this.busy = false; // whether the kernel has said that it is running a cell
    this.gone = ""; // why there is no kernel any more
    this.receive = (content) => this.answered(content);
    model.on("msg:custom", this.receive);
  }

  /** Send what the page asks by itself: nothing of it is shown. Resolves with the Ack. */
  ask(cmd, args = {}) {
    return this.post(cmd, args, false);
  }

  /** Send what a person has asked for: its answer, its refusal and its line of Python are shown. */
  order(cmd, args = {}) {
    return this.post(cmd, args, true);
  }

  /** Whether a person's command has to be answered before it can be given again. */
  waits(cmd) {
    const waiting = this.waiting(cmd);
    return waiting >= (REPEATED.has(cmd) ? MOST_REPEATED : 1);
  }

  /** How many of a person's commands of this name have not been answered yet. */
  waiting(cmd) {
    return [...this.pending.values()].filter((each) => each.cmd === cmd && each.loud).length;
  }

  post(cmd, args, loud) {
    if (this.gone) {
      if (loud) this.noted(this.gone, "refused");
      return Promise.resolve({ ok: false, reason: this.gone, python: "", text: "" });
    }
    const key = `${cmd} ${JSON.stringify(args)}`;
    const same = REPEATED.has(cmd) ? undefined : [...this.pending.values()].find((each) => each.key === key);
    if (same !== undefined) {
      same.loud ||= loud;
      return same.promise;
    }
    if (REPEATED.has(cmd) && this.waits(cmd)) {
      const reason = `${MOST_REPEATED} times ${cmd} wait for the kernel already: this one is not sent`;
      this.noted(reason, "refused");
      return Promise.resolve({ ok: false, reason, python: "", text: "" });
    }
    const id = `${this.view}-${++this.number}`;
    const entry = { cmd, key, loud, since: performance.now(), resolve: null, promise: null };
    entry.promise = new Promise((resolve) => (entry.resolve = resolve));
    this.pending.set(id, entry);
    this.model.send({ cmd, args, id });
    if (loud) {
      this.timer ||= setTimeout(() => this.late(), BUSY_MS);
      this.onChange();
    }
    return entry.promise;
  }

  /** Send, and wait for no answer: the page may be gone by then. */
  tell(cmd, args = {}) {
    if (!this.gone) this.model.send({ cmd, args, id: `${this.view}-${++this.number}` });
  }

  late() {
    this.timer = 0;
    const loud = [...this.pending.values()].filter((each) => each.loud);
    if (loud.length === 0) return;
    const wait = BUSY_MS - (performance.now() - Math.min(...loud.map((each) => each.since)));
    if (wait > 0) this.timer = setTimeout(() => this.late(), wait);
    else {
      this.noted(this.busy ? BUSY_TEXT : SLOW_TEXT, "busy");
      this.timer = setTimeout(() => this.late(), BUSY_MS); // it may become busy, or free
    }
  }

  /** The kernel has gone, as `reason` says, or is there again (""). Open commands are not answered any more. */
  connected(reason) {
    this.gone = reason;
    if (reason === "") return;
    for (const id of [...this.pending.keys()]) this.answered({ ack: id, ok: false, reason });
  }

  answered(content) {
    if (content?.beat !== undefined) this.busy = content.busy === true;
    const entry = this.pending.get(content?.ack);
    if (entry === undefined) return; // to another page
    this.pending.delete(content.ack);
    if (content.ok && content.python) {
      this.lines.push(content.python);
      if (this.lines.length > KEPT_LINES) this.lines.shift();
    }
    if (!content.ok && entry.loud) this.noted(content.reason || "refused", "refused");
    else if (entry.loud) this.noted(content.text, "done");
    entry.resolve(content);
    this.onChange();
  }

  noted(text, kind) {
    this.note = { text: text ?? "", kind };
    this.onChange();
  }

  close() {
    clearTimeout(this.timer);
    this.model.off("msg:custom", this.receive);
    this.pending.clear();
  }
}
