// A question that is watched on its way: its steps one after the other, by themselves or by hand, and where it is now.
// The gates on its way are closed by the kernel, which opens them again when it is over.

import { Control } from "./controls.js";
import { html, milliseconds, numbered, printable, quoted } from "./elements.js";
import { actions, heading, renew } from "./forms.js";

const PACE_MS = 900; // between two steps that come by themselves: one can read what was done
const KEPT_STEPS = 200;

export class AskWatch {
  /** `linkTo` makes a way to a task of its name; `onOver` is told the answer. */
  constructor(store, commands, { linkTo, onOver }) {
    Object.assign(this, { store, commands, linkTo, onOver });
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    this.forget();
    const under = () => (this.isUnderWay ? "" : "no question is watched");
    const wait = () => this.busy;
    this.controls = {
      next: new Control("Next step", "step", { why: under, act: () => this.next(), wait }),
      play: new Control("By itself", "play", {
        why: under,
        act: () => this.play(!this.playing),
        hint: "take a step, and another, until there is an answer",
      }),
      leave: new Control("Leave it", "cross", {
        why: under,
        act: () => this.leave(),
        hint: "give the question up, and open the gates that were closed for it",
      }),
    };
    const { next, play, leave } = this.controls;
    this.where = html("p", { class: "sn-hint" });
    this.list = html("ol", { class: "sn-asked-steps", tabindex: "0", "aria-label": "Steps of the question" });
    this.heading = heading("On its way");
    this.buttons = actions(next, play, leave);
    this.element = html("div", {}, this.heading, this.buttons, this.where, this.list);
    store.on("plan", () => this.forget());
  }

  forget() {
    clearTimeout(this.timer);
    this.card = null; // what the kernel said last
    this.steps = [];
    this.playing = this.busy = this.wasHeld = false;
    this.store.follow(null);
  }

  get isUnderWay() {
    return this.card !== null && this.card.answer === null;
  }

  /** The kernel has asked. Steps come by themselves, unless its reader wants no movement. */
  begin(card) {
    this.forget();
    this.card = card;
    this.told();
    this.play(!this.still.matches);
  }

  play(playing) {
    this.playing = playing;
    clearTimeout(this.timer);
    if (playing && this.isUnderWay) this.timer = setTimeout(() => this.next(), PACE_MS);
    this.paint();
  }

  /** One step. `loud`: its reader has asked for it, or sees it come. */
  async next(loud = true) {
    if (!this.isUnderWay || this.busy) return;
    if (!this.store.visible) return this.play(false);
    this.busy = true;
    this.paint();
    const { watch } = this.card;
    const ack = await (loud ? this.commands.order("watch_step", { watch }) : this.commands.ask("watch_step", { watch }));
    if (this.card?.watch !== watch) return;
    this.busy = false;
    if (!ack.ok) return this.play(false);
    this.card = ack.result;
    if (this.card.step !== null) this.steps = [...this.steps.slice(1 - KEPT_STEPS), this.card];
    const held = ["held", "failed"].includes(this.card.step?.result); // nothing goes on by itself
    this.told();
    this.play(this.playing && !held);
    if (this.card.answer !== null) this.onOver(this.card.answer);
  }

  async leave() {
    const { watch } = this.card;
    this.play(false);
    const ack = await this.commands.order("watch_end", { watch });
    if (ack.ok && this.card?.watch === watch) this.forget();
    this.paint();
  }

  told() {
    const { at } = this.card;
    this.store.follow({ at, steps: this.steps });
  }

  /** If somebody has opened the gates by hand, it goes on without steps: learn what comes of it. */
  notice() {
    const held = this.store.frame.held?.includes(this.store.indexOf(this.card?.input));
    if (held) this.wasHeld = true;
    else if (this.wasHeld && this.isUnderWay && !this.busy) this.next(false);
  }

  paint() {
    const { card, steps, playing } = this;
    this.element.hidden = card === null;
    if (card === null) return;
    this.notice();
    for (const control of Object.values(this.controls)) control.refresh();
    this.controls.play.say(playing ? "Hold" : "By itself", playing ? "pause" : "play");
    this.buttons.hidden = !this.isUnderWay;
    renew(this.where, [card.at, card.answer !== null, steps.length], () => this.whereWords());
    renew(this.list, [card.watch, steps.length], () => steps.map((step) => this.line(step)));
    this.list.hidden = steps.length === 0;
    if (this.shown !== steps.length) this.list.scrollTop = this.list.scrollHeight;
    this.shown = steps.length;
  }

  whereWords() {
    const { at, answer } = this.card;
    if (answer !== null) return `${numbered(this.steps.length, "step")}; the gates are as they were before.`;
    if (at.length === 0) return "It is in a call or a batch, or waits for room.";
    return ["It lies before ", ...at.flatMap((name, place) => [place > 0 ? ", " : "", quoted(name, { limit: 40 })]), "."];
  }

  line({ step, is_of_it: isOfIt, took_ms: took }) {
    const { taken, made } = valuesOf(step);
    const said = taken === "" ? step.text.slice(step.task.length + 2) : made === "" ? taken : `${taken} → ${made}`;
    const other = html("span", { class: "sn-hint" }, "another packet, which lay before it");
    return html(
      "li",
      {},
      html("span", { class: "sn-asked-task" }, this.linkTo(step.task)),
      html("span", { class: "sn-depth-number sn-faint-text" }, milliseconds(took)),
      quoted(said, { limit: 200, look: "sn-code sn-asked-values" }),
      step.result === "done" ? null : html("span", { class: "sn-hint" }, printable(step.result.replace("_", " "), 40)),
      isOfIt || taken === "" ? null : other,
    );
  }

  close() {
    clearTimeout(this.timer);
  }
}

/** What a step took, and what it sent to the first of those to whom it sent anything. */
export function valuesOf(step) {
  const made = step.sent.filter(({ task }) => task === step.sent[0].task).map(({ text }) => text);
  return { taken: step.packet?.text ?? "", made: `${made.join(", ")}${step.more > 0 ? ", …" : ""}` };
}
