// What went wrong: the error that failed the job, and the packets that were skipped, which can be retried.

import { Control } from "./controls.js";
import { counted, html, mark, printableLines, quoted, say } from "./elements.js";
import { actions, heading, labelled, reading, renew } from "./forms.js";
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
    this.failure = html("div");
    this.note = html("span", { class: "sn-hint" });
    this.list = html("ul", { class: "sn-letters" });
    this.line = html("div", { class: "sn-heading-line" }, heading("Skipped packets"), this.note);
    this.buttons = actions(...this.all);
    this.element = html("div", { class: "sn-errors" }, this.failure, this.line, this.buttons, this.list);
    this.controls = [];
    this.seen = null;
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
    if (this.store.frame.number < 0) return;
    const ack = await this.commands.ask("letters");
    if (ack.ok && ack.result) this.take(ack.result);
  }

  take(letters) {
    this.letters = letters;
    this.paint();
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
    renew(this.list, [letters?.letters, this.editing], () => {
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
      { class: "sn-letter" },
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
    const close = () => {
      this.editing = -1;
      this.paint();
    };
    const apply = new Control("Retry with this", "check", {
      why: () => reasonFor("retry", this.store, { letter }),
      act: async () => (await this.change("edit_retry", { number: letter.number, value: field.value })) && close(),
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
    return html("div", { onkeydown: leave }, labelled("New value, a Python literal", field), actions(apply, cancel));
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
