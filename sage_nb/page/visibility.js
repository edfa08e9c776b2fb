// Whether somebody can see an element: it is on the screen, and its page is not hidden or left.

export class Visibility {
  /** `onChange` hears true or false; until it is looked at, it is taken to be seen. */
  constructor(element, onChange) {
    let seen = true;
    const look = () => onChange(seen && !document.hidden);
    const leave = () => onChange(false);
    this.watcher = new IntersectionObserver((entries) => {
      seen = entries.at(-1).isIntersecting;
      look();
    });
    this.watcher.observe(element);
    this.listened = [
      [window, "pagehide", leave],
      [window, "pageshow", look],
      [document, "visibilitychange", look],
    ];
    for (const [target, event, act] of this.listened) target.addEventListener(event, act);
  }

  close() {
    this.watcher.disconnect();
    for (const [target, event, act] of this.listened) target.removeEventListener(event, act);
  }
}
