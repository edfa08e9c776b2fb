// Why a control cannot work now, in words for its reader: one table for all controls. An empty text: it can.
// The kernel decides; this only spares the reader a click that would be refused.

import { ENDED_JOB, hasEnded } from "./states.js";

const gone = (facts) => facts.gone;
const closed = (facts) => facts.gone || (facts.frame.closed ? "the session was closed" : "");
const going = ({ frame }) =>
  frame.state === "new" ? "it has not been started" : ENDED_JOB.has(frame.state) ? "the job has ended" : "";
const startable = ({ frame, plan }) =>
  frame.state !== "new" && !ENDED_JOB.has(frame.state) ? "it is running already" : plan.runnable;
const somethingHeld = ({ frame }) => (frame.holding === "none" ? "nothing is paused: pause first" : "");
const runs = (frame) =>
  frame.holding === "all" || ENDED_JOB.has(frame.state) ? "" : "not everything is paused: pause first";
const chosen = ({ row }) => (row === null ? "select a task first" : "");
const alive = ({ frame, index, row }) => (hasEnded(frame.states[index]) ? `${row.name} has ended` : "");
const task = ({ service, row }) => (service ? `${row.name} is a service` : "");
const queued = ({ row }) => (row.capacity > 0 ? "" : `${row.name} has no queue: it makes its packets itself`);

const held = ({ frame, index }) => frame.held.includes(index);

const notHeld = (facts) => (held(facts) ? "" : `${facts.row.name} is not paused: pause it first`);

const picked = ({ packet }) => (packet === null ? "select a packet first" : "");
const changeable = [closed, chosen, task, queued, going, alive, notHeld];

const RULES = {
  run: [closed, startable],
  start_paused: [closed, startable],
  pause: [closed, going, ({ frame }) => (frame.holding === "all" ? "everything is paused already" : "")],
  resume: [closed, going, ({ frame }) => (frame.holding === "none" ? "nothing is paused" : "")],
  back: [closed, going, ({ frame }) => runs(frame)],
  goto: [closed, ({ frame, plan }) => (frame.state === "new" ? plan.runnable : runs(frame))],
  turn_before: [closed, ({ frame }) => (frame.turn > 0 ? runs(frame) : "this is before the first turn")],
  step: [closed, going, somethingHeld],
  step_task: [closed, chosen, going, alive, notHeld],
  stop: [closed, going, ({ frame }) => (frame.state === "draining" ? "it is stopping already" : "")],
  cancel: [closed, going],
  pause_task: [closed, chosen, going, alive, (facts) => (held(facts) ? `${facts.row.name} is paused already` : "")],
  resume_task: [closed, chosen, going, alive, (facts) => (held(facts) ? "" : `${facts.row.name} is not paused`)],
  pause_operator: [
    closed,
    going,
    ({ frame, rows, name }) => (rows.every((row) => hasEnded(frame.states[row])) ? `${name} has ended` : ""),
  ],
  peek: [gone, chosen, queued],
  inject: [closed, chosen, task, queued, going, alive],
  change_queue: [...changeable],
  change_packet: [...changeable, picked],
  move_up: [...changeable, picked, ({ packet }) => (packet.index === 0 ? "it is the first of its lane already" : "")],
  move_down: [...changeable, picked, ({ lastOfLane }) => (lastOfLane ? "it is the last of its lane already" : "")],
  full: [closed, picked],
  why: [
    gone,
    picked,
    ({ packet }) => (packet.id ? "" : "only a session with trace=True remembers where packets come from"),
  ],
  why_error: [gone, ({ untraced }) => untraced],
  breakpoint: [closed, chosen, task],
  measure: [closed, chosen, task, going, alive],
  state: [closed, chosen, task],
  profile: [closed, chosen, going, alive],
  call: [closed, going],
  ask: [
    closed,
    ({ row }) => (row === null ? "this graph has no input" : row.asks),
    ({ frame, plan }) => (frame.state === "new" ? plan.runnable : ""),
    going,
    alive,
  ],
  retry: [closed, going, ({ letter }) => letter?.retriable ?? ""],
  retry_all: [closed, going, ({ letters }) => (letters === 0 ? "there is no dead letter" : "")],
  skip_held: [closed, going],
  edit_held: [closed, going],
  replace: [
    closed,
    going,
    ({ held }) => (held?.function ? "" : "its function has no name by which a cell could have made another"),
  ],
  discard: [closed],
  discard_all: [closed, ({ letters }) => (letters === 0 ? "there is no dead letter" : "")],
};

/** Whether all of these rows that have not ended are held by hand. */
export function allHeld(rows, frame) {
  return rows.every((row) => hasEnded(frame.states[row]) || frame.held.includes(row));
}

/** Why `control` cannot work, or "". `more` may name a packet, a letter or how many letters there are. */
export function reasonFor(control, store, more = {}) {
  const { plan, frame, gone, selected: index, row } = store;
  const facts = {
    plan,
    gone,
    frame,
    index,
    row,
    service: index >= 0 && store.isService(index),
    packet: null,
    letters: 0,
    ...more,
  };
  for (const rule of RULES[control]) {
    const reason = rule(facts);
    if (reason) return reason;
  }
  return "";
}
