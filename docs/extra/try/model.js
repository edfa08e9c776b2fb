// What a view's page asks for in a notebook, the model of its widget, where Python is in the same tab: traits are set
// by a message, and what the page sends is handed over.

export class Model {
  /** `post` hands a message to Python. */
  constructor(traits, post) {
    this.traits = traits;
    this.post = post;
    this.listeners = new Map();
  }

  get(name) {
    return this.traits[name];
  }

  set(name, value) {
    this.traits[name] = value;
    this.emit(`change:${name}`);
  }

  save_changes() {} // only what this page itself has set

  send(content) {
    this.post(content);
  }

  on(event, act) {
    if (!this.listeners.has(event)) this.listeners.set(event, new Set());
    this.listeners.get(event).add(act);
  }

  off(event, act) {
    this.listeners.get(event)?.delete(act);
  }

  emit(event, ...args) {
    for (const act of [...(this.listeners.get(event) ?? [])]) act(...args);
  }

  /** Python has something to say: of the session that is shown, {traits} or {msg}. */
  heard({ traits, msg }) {
    for (const [name, value] of Object.entries(traits ?? {})) this.set(name, value);
    if (msg !== undefined) this.emit("msg:custom", msg);
  }
}
