// Does something soon, but not more often than once in so many milliseconds.

export class Throttle {
  constructor(gap, act) {
    this.gap = gap;
    this.act = act;
    this.timer = 0;
    this.last = -Infinity;
  }

  soon() {
    if (this.timer !== 0) return;
    const wait = this.last + this.gap - performance.now();
    this.timer = setTimeout(() => this.now(), Math.max(0, wait));
  }

  now() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.last = performance.now();
    this.act();
  }

  close() {
    clearTimeout(this.timer);
    this.timer = 0;
  }
}
