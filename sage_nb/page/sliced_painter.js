// Paints many things in several animation frames: what is in sight first, and some of the rest in each, so that no
// frame takes long. What is out of sight is painted less often, but never left out.

const NEAR = 64; // so many of what is in sight at once
const FAR = 24;
const FAR_MS = 400;

export class SlicedPainter {
  /** `paint(item)` paints one thing as it stands now. */
  constructor(paint) {
    this.paintOne = paint;
    this.items = [];
    this.near = [];
    this.far = [];
    this.due = false; // whether something has changed since all that is far was queued
    this.began = -Infinity;
    this.next = 0;
    this.timer = 0;
  }

  /** Everything may have changed; `inSight(item)` says what can be seen. */
  start(items, inSight) {
    this.items = items;
    this.inSight = inSight;
    this.due = true;
    this.near = items.filter(inSight);
    this.work();
  }

  work() {
    cancelAnimationFrame(this.next);
    this.next = 0;
    for (const item of this.near.splice(0, NEAR)) this.paintOne(item);
    if (this.near.length === 0) for (const item of this.far.splice(0, FAR)) this.paintOne(item);
    if (this.near.length > 0 || this.far.length > 0) this.next = requestAnimationFrame(() => this.work());
    else if (this.due) this.fill();
  }

  fill() {
    const wait = this.began + FAR_MS - performance.now();
    if (wait > 0) {
      this.timer ||= setTimeout(() => {
        this.timer = 0;
        this.work();
      }, wait);
      return;
    }
    this.due = false;
    this.began = performance.now();
    this.far = this.items.filter((item) => !this.inSight(item));
    if (this.far.length > 0) this.next ||= requestAnimationFrame(() => this.work());
  }

  close() {
    cancelAnimationFrame(this.next);
    clearTimeout(this.timer);
  }
}
