// What went wrong: the error that failed the job, and the packets that were skipped, which can be retried.

import { Control } from "./controls.js";
import { counted, html, mark, printable, printableLines, quoted, say, seconds } from "./elements.js";
import { actions, heading, reading, renew, ValueField } from "./forms.js";
import { button } from "./icons.js";
import { Throttle } from "./throttle.js";
import { reasonFor } from "./reasons.js";
import { WhereFrom } from "./where_from.js";

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
    const control = (word, glyph, name, more = {}) =>
      new Control(word, glyph, {
        why: () => reasonFor(name, store, count()),
        act: () => this.change(name, {}),
        wait: () => commands.waits(name),
        ...more,
      });
    this.all = [control("Retry all", "undo", "retry_all"), control("Discard all", "cross", "discard_all")];
    this.resume = control("Resume", "play", "resume", {
      act: async () => (await commands.order("resume", {}), this.fetch()),
    });
    this.held = html("ul", { class: "sn-letters" });
    const hint = html("span", { class: "sn-hint" }, "Resume tries them again");
    const line = html("div", { class: "sn-heading-line" }, heading("Held packets"), hint);
    this.heldSection = html("div", { hidden: true }, line, actions(this.resume), this.held);
    this.pointed = html("div", { class: "sn-pointed", role: "status" });
    this.failure = html("div");
    this.note = html("span", { class: "sn-hint" });
    this.list = html("ul", { class: "sn-letters" });
    this.line = html("div", { class: "sn-heading-line" }, heading("Skipped packets"), this.note);
    this.buttons = actions(...this.all);
    const parts = [this.pointed, this.failure, this.heldSection, this.line, this.buttons, this.list];
    this.element = html("div", { class: "sn-errors" }, ...parts);
    this.controls = { letters: [], held: [], failure: [] };
    const lights = inspector === null ? "light" : "why"; // alone, it lights the way in the other views
    this.from = new WhereFrom(
      (args) => commands.order(lights, args),
      (origin) => (inspector !== null ? store.light(origin, this) : origin === null && commands.order("light")),
      () => this.paint(),
    );
    store.on("plan", () => this.from.forget());
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
    const { fault, plan } = this.store;
    const failed = fault?.kind === "error" && this.letters.failure ? this.failure : null;
    const name = CSS.escape(plan.rows[fault?.row]?.name ?? "");
    const held = fault?.kind === "error" ? this.held.querySelector(`[data-held="${name}"]`) : null;
    const shown = card ?? held ?? failed ?? this.pointed;
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
    const counts = `${frame.letters} ${frame.counts.errors} ${frame.counts.skipped}`;
    const holding = frame.holding === "none" ? "" : frame.number; // something may be mended at any time
    const now = `${frame.revision} ${counts} ${frame.state} ${holding}`;
    if (now !== this.seen && visible) {
      const first = this.seen === null && this.inspector !== null;
      this.seen = now;
      if (!first) this.throttle.soon();
    }
    for (const control of [...this.all, this.resume, ...Object.values(this.controls).flat()]) control.refresh();
    const letters = this.letters;
    const { fault } = this.store;
    renew(this.pointed, [fault?.number, letters?.found], () => this.pointing(fault, letters));
    const from = this.from.found;
    renew(this.failure, [letters?.failure, letters?.traceback, letters?.folded, from], () => this.failed(letters));
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
    const heldNow = letters?.held ?? [];
    this.heldSection.hidden = heldNow.length === 0;
    renew(this.held, [heldNow, this.editing, from], () => {
      this.controls.held = [];
      return heldNow.map((held) => this.heldCard(held));
    });
    renew(this.list, [letters?.letters, letters?.found, this.editing, from], () => {
      this.controls.letters = [];
      return (letters?.letters ?? []).map((letter) => this.card(letter));
    });
  }

  failed(letters) {
    this.controls.failure = [];
    if (!letters?.failure) return [];
    return [
      heading("The job has failed"),
      reading(letters.failure, "The error that failed the job"),
      actions(this.whereFrom("failure", "failure", { failure: true })),
      this.from.told("failure"),
      details(letters, true),
    ];
  }

  /** A button of a card, in one of the lists of `controls`. */
  control(list, about, word, glyph, name, act, rule = name) {
    const made = new Control(word, glyph, {
      why: () => reasonFor(rule, this.store, about),
      act,
      wait: () => this.commands.waits(name),
    });
    this.controls[list].push(made);
    return made;
  }

  /** A button that says where the packet of an error comes from. */
  whereFrom(list, key, args) {
    const about = { untraced: this.letters?.untraced ?? "" };
    const act = async () => {
      await this.from.toggle(key, args);
      this.element.querySelector(`[data-from="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
    };
    const made = this.control(list, about, "Where from", null, "why", act, "why_error");
    made.button.dataset.from = key;
    this.from.press(made.button, key);
    return made;
  }

  heldCard(held) {
    const { task, place, operator, source, version } = held;
    const which = `${task} ${place}`;
    const control = (...given) => this.control("held", { held }, ...given);
    const replace = () => this.change("replace", { operator });
    const name = held.function ? `Replace by ${printable(held.function, 40)} from cell` : "Replace from cell";
    const buttons = [
      control(name, null, "replace", replace),
      control("Edit", null, "edit_held", () => this.edit(which)),
      control("Skip", "cross", "skip_held", () => this.change("skip_held", { task, place })),
      this.whereFrom("held", `held ${which}`, { task, place }),
    ];
    const written = reading(source, "Source");
    const open = { class: "sn-details", open: true };
    const from = source && html("details", open, html("summary", {}, `Source, version ${version}`), written);
    const put = (typed) => this.change("edit_held", { task, place, ...typed });
    return html(
      "li",
      { class: "sn-letter", "data-held": task },
      this.head(held),
      html("div", { class: "sn-letter-packet" }, quoted(held.packet, { limit: 200, look: "sn-code" })),
      this.editing === which
        ? this.editor("held", held, { held }, "Put this in its place", "edit_held", put)
        : actions(...buttons),
      this.from.told(`held ${which}`),
      details(held, true),
      from || null,
    );
  }

  head({ task, error }) {
    const whose = quoted(task, { limit: 40, look: "sn-strong" });
    return html("div", { class: "sn-letter-head" }, whose, quoted(error, { limit: 200 }));
  }

  card(letter) {
    const { number } = letter;
    const control = (...given) => this.control("letters", { letter }, ...given);
    const retry = control("Retry", "undo", "retry", () => this.change("retry", { number }));
    const edit = control("Edit and retry", null, "edit_retry", () => this.edit(number), "retry");
    const discard = control("Discard", "cross", "discard", () => this.change("discard", { number }));
    return html(
      "li",
      { class: "sn-letter", "data-letter": number, "data-found": number === this.letters.found ? "yes" : null },
      this.head(letter),
      html("div", { class: "sn-letter-packet" }, quoted(letter.packet, { limit: 200, look: "sn-code" })),
      details(letter),
      this.editing === number
        ? this.editor("letters", letter, { letter }, "Retry with this", "edit_retry", (typed) =>
            this.change("edit_retry", { number, ...typed }),
          )
        : actions(retry, edit, discard, this.whereFrom("letters", `letter ${number}`, { number })),
      this.from.told(`letter ${number}`),
    );
  }

  /** Edit the letter of this number, or the held packet of this task and place. */
  edit(which) {
    this.editing = which;
    this.paint();
    this.field?.focus();
  }

  editor(list, { literal }, about, word, name, put) {
    const field = html("textarea", { class: "sn-input sn-code", rows: 3, spellcheck: "false" });
    field.value = literal ?? "";
    this.field = field;
    const typed = new ValueField(this.store, "New value, a Python literal", field);
    const close = () => {
      this.editing = -1;
      this.paint();
    };
    const rule = list === "held" ? name : "retry";
    const act = async () => (await put(typed.value())) && close();
    const apply = this.control(list, about, word, "check", name, act, rule);
    const cancel = new Control("Cancel", null, { why: () => "", act: close });
    const leave = (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      close();
      (list === "held" ? this.held : this.list).querySelector("button")?.focus();
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
