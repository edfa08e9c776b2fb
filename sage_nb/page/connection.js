// Whether the kernel is still there: `reason` says why not, or is "". Listens to what the application says of its
// kernel, where it does, and counts for how long no message has come.

const TICK_MS = 250;
const SILENT_MS = 1_000; // the kernel says something every 500 ms; that it has gone is to be seen within 2 s

const RESTARTED = "its kernel was restarted: run the cell again";
const GONE = "its kernel has gone: start one, and run the cell again";
const APART = "the connection to its kernel is lost";
const SILENT = "no word from its kernel: it has gone, or is too busy to answer";

/** What a status of JupyterLab's kernels, and of what descends from it, says about a view of that kernel. */
const STATUSES = {
  ...{ restarting: RESTARTED, autorestarting: RESTARTED, dead: GONE, terminating: GONE },
  ...{ connecting: APART, disconnected: APART, reconnecting: APART },
};

/** The events of the classic Notebook's kernels that say the same; `kernel_restarting.Kernel` is one. */
const CLASSIC = ["restarting", "autorestarting", "dead", "killed", "disconnected", "reconnecting", "connected"];

export class Connection {
  /** `onChange` is called when `reason` is another one. */
  constructor(model, onChange) {
    this.onChange = onChange;
    this.reason = "";
    this.final = false; // the kernel that knew this view has ended; what comes after it is another one
    this.silent = 0; // ms, in ticks: a page that is stopped hears nothing either, and counts nothing
    this.watching = false;
    this.closers = [];
    this.kernel = kernelOf(model);
    for (const signal of ["statusChanged", "connectionStatusChanged", "disposed"]) this.follow(signal);
    this.followClassic(model);
    this.timer = setInterval(() => this.tick(), TICK_MS);
  }

  follow(signal) {
    const found = this.kernel?.[signal];
    if (typeof found?.connect !== "function") return;
    const told = (_, status) => this.told(signal === "disposed" ? "dead" : status);
    found.connect(told);
    this.closers.push(() => found.disconnect(told));
  }

  followClassic(model) {
    const events = classicKernelOf(model)?.events;
    if (typeof events?.on !== "function") return;
    for (const status of CLASSIC) {
      const told = () => this.told(status === "killed" ? "dead" : status);
      events.on(`kernel_${status}.Kernel`, told);
      this.closers.push(() => events.off(`kernel_${status}.Kernel`, told));
    }
  }

  told(status) {
    const reason = STATUSES[status];
    if (reason === undefined) {
      if (status === "connected" && this.reason === APART) this.heard();
      return;
    }
    if (this.final) return; // what comes after it, a connection to another kernel, say, changes nothing
    this.final = reason === RESTARTED || reason === GONE;
    this.say(reason);
  }

  /** Something has come from the kernel. */
  heard() {
    this.silent = 0;
    if (!this.final) this.say("");
  }

  /** Whether the kernel is expected to say something from time to time: it does so only to those who look. */
  watch(watching) {
    if (watching && !this.watching) this.silent = 0;
    this.watching = watching;
  }

  tick() {
    if (this.reason === "") this.told(this.kernel?.status); // it may have ended before this page was there
    if (!this.watching || this.reason !== "") return;
    this.silent += TICK_MS;
    if (this.silent > SILENT_MS) this.say(SILENT);
  }

  say(reason) {
    if (reason === this.reason) return;
    this.reason = reason;
    this.onChange();
  }

  close() {
    clearInterval(this.timer);
    for (const close of this.closers) close();
  }
}

/** The kernel as the application knows it, or null: not all say. */
function kernelOf(model) {
  try {
    return model.widget_manager?.kernel ?? null;
  } catch {
    return null;
  }
}

/** The kernel of a classic Notebook, or null. */
function classicKernelOf(model) {
  try {
    return model.widget_manager?.comm_manager?.kernel ?? null;
  } catch {
    return null;
  }
}
