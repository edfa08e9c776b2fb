// The turns of a run with a seed: the number of the one that was last, and a way to any other. Each way runs the job
// again from its start, so functions are called again.

import { Control } from "./controls.js";
import { html } from "./elements.js";
import { textField } from "./forms.js";
import { reasonFor } from "./reasons.js";

const AGAIN = "the job runs again from its start to there, functions too";

export class Turns {
  constructor(store, commands) {
    this.store = store;
    this.commands = commands;
    const way = (word, glyph, reason, by) =>
      new Control(word, glyph, {
        why: () => reasonFor(reason, store),
        act: () => this.goto(store.frame.turn + by),
        wait: () => commands.waits("goto"),
        hint: `${word}: ${AGAIN}`,
        bare: true,
      });
    this.before = way("Turn before", "left", "turn_before", -1);
    this.next = way("Next turn", "right", "goto", 1);
    this.field = textField({
      ...{ "aria-label": "Turn", inputmode: "numeric", title: `Enter goes to this turn: ${AGAIN}` },
      ...{ onkeydown: (event) => this.pressed(event), onblur: () => this.show() },
    });
    this.field.value = this.shown = "";
    this.element = html(
      "div",
      { class: "sn-turns", role: "group", "aria-label": "Turns" },
      html("span", { class: "sn-turns-word" }, "turn"),
      this.before.element,
      this.field,
      this.next.element,
    );
  }

  pressed(event) {
    if (event.key === "Escape") this.field.blur();
    if (event.key !== "Enter") return;
    event.preventDefault();
    const text = this.field.value.replaceAll(",", "").trim();
    const reason = /^\d{1,9}$/.test(text) ? reasonFor("goto", this.store) : "a turn is a whole number from 0 on";
    if (reason) this.commands.noted(reason, "refused");
    else this.goto(Number(text));
  }

  async goto(turn) {
    const ack = await this.commands.order("goto", { turn });
    if (ack.ok) this.show(turn);
  }

  /** The number of the turn, in place of what was typed. */
  show(turn = this.store.frame.turn) {
    this.field.value = this.shown = String(turn);
  }

  paint() {
    const { turn } = this.store.frame;
    this.element.hidden = !(turn >= 0);
    if (this.element.hidden) return;
    this.before.refresh();
    this.next.refresh();
    if (this.field.value === this.shown) this.show(); // else somebody types
  }
}
