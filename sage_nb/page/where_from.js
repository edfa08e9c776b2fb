// Where something comes from: asked of the kernel, told as a tree, and lit in the graph. One thing at a time.

import { mark } from "./elements.js";
import { reading } from "./forms.js";

export class WhereFrom {
  /** `light` shows what the kernel has answered in the graph, or puts it out: null; `paint` is called after each. */
  constructor(ask, light, paint) {
    Object.assign(this, { ask, light, paint });
    this.found = null; // {key, text, places}
  }

  /** Whether this is what is told. */
  is(key) {
    return this.found?.key === key;
  }

  /** Tell it, of what `key` stands for here and `args` for the kernel; pressed again, no more. */
  async toggle(key, args) {
    if (this.is(key)) this.forget();
    else {
      const ack = await this.ask(args);
      if (!ack.ok) return;
      this.found = { key, ...ack.result };
      this.light(this.found);
    }
    this.paint();
  }

  forget() {
    if (this.found === null) return;
    this.found = null;
    this.light(null);
  }

  /** Say of a button whether it is pressed. */
  press(button, key) {
    mark(button, "aria-pressed", String(this.is(key)));
  }

  /** The tree, where it is told of this; else null. */
  told(key) {
    return this.is(key) ? reading(this.found.text, "Where it comes from") : null;
  }
}
