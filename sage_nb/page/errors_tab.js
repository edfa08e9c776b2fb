// What went wrong: the error that failed the job, and the packets that were skipped, which can be retried.

import { Control } from "./controls.js";
import { counted, html, mark, printable, printableLines, quoted, say, seconds } from "./elements.js";
import { actions, heading, reading, renew, ValueField } from "./forms.js";
import { button } from "./icons.js";
import { Throttle } from "./throttle.js";
import { reasonFor } from "./reasons.js";

const LETTERS_MS = 500;
const MOST_TRACED = 20_000; // characters
const FOLD = /^( {2}… \d+ frames? of the runtime)$/m;

export class ErrorsTab {
  constructor(store, commands, inspector = null) {
    Object.assign(this, { store, commands, inspector });
    this.letters = null;
    this.editing = -1;
    this.throttle = new Throttle(LETTERS_MS, () => this.fetch());
    const count = () => ({ letters: this.letters?.kept ?? 0 });
    const control = (word, glyph, name) =>
      new Control(word, glyph, {
        why: () => reasonFor(name, store, count()),
        act: () => this.change(name, {}),
        wait: () => commands.waits(name),
      });
    this.all = [control("Retry all", "undo", "retry_all"), control("Discard all", "cross", "discard_all")];
    this.pointed = html("div", { class: "sn-pointed", role: "status" });
    this.failure = html("div");
    this.note = html("span", { class: "sn-hint" });
    this.list = html("ul", { class: "sn-letters" });
    this.line = html("div", { class: "sn-heading-line" }, heading("Skipped packets"), this.note);
    this.buttons = actions(...this.all);
    this.element = html("div", { class: "sn-errors" }, this.pointed, this.failure, this.line, this.buttons, this.list);
    this.controls = [];
    this.seen = null;
    this.sought = false; // whether what is pointed out is still to be brought into sight
    store.on("fault", () => this.seek());
    if (inspector === null) {
      this.element = html("section", { class: "sn-errors-alone", "aria-label": "Errors" }, this.element);
      store.on("plan frame commands", () => this.paint());
    }
    this.paint();
  }

  refresh() {
    this.paint();
    this.fetch();
  }

  async fetch() {
    const { frame, fault, plan } = this.store;
    if (frame.number < 0) return;
    const about = fault && { task: plan.rows[fault.row]?.name ?? "", at_s: fault.at_s, text: fault.text };
    const ack = await this.commands.ask("letters", about ? { about } : {});
    if (ack.ok && ack.result && fault === this.store.fault) this.take(ack.result);
  }

  /** Show the letter, or the failure, of the event that is pointed out, or the newest letters again. */
  seek() {
    this.sought = this.store.fault !== null;
    if (this.inspector === null) this.fetch(); // else it is opened, which does
  }

  take(letters) {
    this.letters = letters;
    this.paint();
    if (this.sought) this.find(letters.found);
  }

  /** Bring what is pointed out into sight, with its traceback open, and give it the focus. */
  find(number) {
    this.sought = false;
    const card = number > 0 ? this.list.querySelector(`[data-letter="${number}"]`) : null;
    const shown = card ?? (this.store.fault?.kind === "error" && this.letters.failure ? this.failure : this.pointed);
    const summary = shown.querySelector("summary");
    if (summary !== null) summary.parentElement.open = true;
    shown.scrollIntoView({ block: "nearest" });
    (summary ?? shown.querySelector("button"))?.focus({ preventScroll: true });
  }

  /** What is said of the event that is pointed out, and the way back to the newest letters. */
  pointing(fault, letters) {
    if (fault === null) return [];
    const { plan } = this.store;
    const what = `${seconds(fault.at_s)}  ${plan.rows[fault.row]?.name ?? plan.name}: ${fault.text}`;
    const gone = "its packet is not kept any more: it was retried or discarded, or too many came after it";
    const lost = fault.kind === "skip" && letters?.found === 0 ? html("div", { class: "sn-hint" }, gone) : null;
    const back = new Control("Show the newest", null, { why: () => "", act: () => this.store.pointOut(null) });
    return [html("div", { class: "sn-pointed-line" }, quoted(what, { limit: 300 }), back.element), lost];
  }

  async change(cmd, args) {
    const ack = await this.commands.order(cmd, args);
    if (ack.ok && Array.isArray(ack.result?.letters)) this.take(ack.result);
    else this.fetch();
    return ack.ok;
  }

  paint() {
    const { frame, visible } = this.store;
    const now = `${frame.revision} ${frame.letters} ${frame.counts.errors} ${frame.counts.skipped} ${frame.state}`;
    if (now !== this.seen && visible) {
      const first = this.seen === null && this.inspector !== null;
      this.seen = now;
      if (!first) this.throttle.soon();
    }
    for (const control of [...this.all, ...this.controls]) control.refresh();
    const letters = this.letters;
    const { fault } = this.store;
    renew(this.pointed, [fault?.number, letters?.found], () => this.pointing(fault, letters));
    renew(this.failure, [letters?.failure, letters?.traceback, letters?.folded], () => this.failed(letters));
    const shown = letters?.letters.length ?? 0;
    const total = letters?.total ?? 0;
    say(
      this.note,
      total === 0
        ? "none"
        : shown < total
          ? `showing ${counted(shown)} of ${counted(total)}, newest first`
          : "newest first",
    );
    this.buttons.hidden = shown === 0;
    renew(this.list, [letters?.letters, letters?.found, this.editing], () => {
      this.controls = [];
      return (letters?.letters ?? []).map((letter) => this.card(letter));
    });
  }

  failed(letters) {
    if (!letters?.failure) return [];
    return [
      heading("The job has failed"),
      reading(letters.failure, "The error that failed the job"),
      details(letters, true),
    ];
  }

  card(letter) {
    const { number } = letter;
    const control = (word, glyph, name, act, more = {}) => {
      const made = new Control(word, glyph, {
        why: () => reasonFor(more.rule ?? name, this.store, { letter }),
        act,
        wait: () => this.commands.waits(name),
      });
      this.controls.push(made);
      return made;
    };
    const retry = control("Retry", "undo", "retry", () => this.change("retry", { number }));
    const edit = control("Edit and retry", null, "edit_retry", () => this.edit(number), { rule: "retry" });
    const discard = control("Discard", "cross", "discard", () => this.change("discard", { number }));
    return html(
      "li",
      { class: "sn-letter", "data-letter": number, "data-found": number === this.letters.found ? "yes" : null },
      html(
        "div",
        { class: "sn-letter-head" },
        quoted(letter.task, { limit: 40, look: "sn-strong" }),
        quoted(letter.error, { limit: 200 }),
      ),
      html("div", { class: "sn-letter-packet" }, quoted(letter.packet, { limit: 200, look: "sn-code" })),
      details(letter),
      this.editing === number ? this.editor(letter) : actions(retry, edit, discard),
    );
  }

  edit(number) {
    this.editing = number;
    this.paint();
    this.field?.focus();
  }

  editor(letter) {
    const field = html("textarea", { class: "sn-input sn-code", rows: 3, spellcheck: "false" });
    field.value = letter.literal ?? "";
    this.field = field;
    const typed = new ValueField(this.store, "New value, a Python literal", field);
    const close = () => {
      this.editing = -1;
      this.paint();
    };
    const apply = new Control("Retry with this", "check", {
      why: () => reasonFor("retry", this.store, { letter }),
      act: async () => (await this.change("edit_retry", { number: letter.number, ...typed.value() })) && close(),
      wait: () => this.commands.waits("edit_retry"),
    });
    this.controls.push(apply);
    const cancel = new Control("Cancel", null, { why: () => "", act: close });
    const leave = (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      close();
      this.list.querySelector("button")?.focus();
    };
    return html("div", { onkeydown: leave }, typed.element, actions(apply, cancel));
  }

  close() {
    this.throttle.close();
  }
}

/** The traceback of `from`, without the runtime's own frames until somebody asks for the whole of it. */
function details({ traceback, folded }, open = false) {
  if (!traceback) return null;
  const text = reading("", "Traceback");
  const show = (whole) => text.replaceChildren(...(whole || !folded ? [traced(traceback)] : muted(traced(folded))));
  show(false);
  const toEnd = () => (text.scrollTop = text.scrollHeight); // there is the reader's own code, and what it raised
  const whole = button("Whole traceback", null, () => {
    const on = whole.getAttribute("aria-pressed") !== "true";
    mark(whole, "aria-pressed", String(on));
    show(on);
    toEnd();
  });
  mark(whole, "aria-pressed", "false");
  const children = [html("summary", {}, "Traceback"), text, folded ? whole : null];
  return html("details", { class: "sn-details", ontoggle: toEnd, open }, ...children);
}

const traced = (text) => printableLines(text, MOST_TRACED);

/** The text with what stands for left out frames set apart. */
function muted(text) {
  const pieces = text.split(FOLD);
  return pieces.map((piece, place) => (place % 2 ? html("span", { class: "sn-faint-text" }, piece) : piece));
}
