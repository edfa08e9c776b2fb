// The page: it starts Python in a worker, runs the program there, and shows what that says. The picture is the view
// that a notebook has.

import { Model } from "./model.js";

const SILENT_MS = 3_000; // the view's kernel speaks twice a second; here it may be busy with a function
const MOST_PRINTED = 20_000; // characters

const LOADING = "Loading Python: 13 MB, the first time …";
const SILENT =
  "Python does not answer: some function goes on and on without waiting. “Start afresh” ends it, whatever it does.";

const by = (id) => document.getElementById(id);
const [program, run, afresh, printed, status, root] = ["program", "run", "afresh", "printed", "status", "view"].map(by);
const [inject, value, into] = ["inject", "value", "into"].map(by);

let worker = null;
let page = null; // of a view: a promise of {render}
let view = null; // {model, close} of the one that is shown
let asked = 0; // messages of this page itself
let heardAt = 0; // ms, when Python has said something
let going = false; // whether it has to: a program runs, or a job does

const say = (text) => {
  if (status.textContent !== text) status.textContent = text;
};

// ── Python ──

function begin() {
  worker?.terminate();
  view?.close();
  view = null;
  places([]);
  going = false;
  worker = new Worker("worker.js", { type: "module" });
  worker.onmessage = ({ data }) => {
    heardAt = performance.now();
    for (const [kind, what] of Object.entries(JSON.parse(data))) hears[kind]?.(what);
  };
  worker.onerror = ({ message }) => say(`Python could not be loaded: ${message ?? "no worker"}.`);
  runProgram();
  say(LOADING);
}

const hears = {
  page: (text) => (page ??= load(text)),
  shows: (traits) => show(traits),
  traits: (traits) => view?.model.heard({ traits }),
  msg: (msg) => {
    if (String(msg.ack).startsWith("page-")) say(msg.ok ? msg.text : msg.reason);
    else view?.model.heard({ msg });
  },
  says: (text) => print(text),
  raised: (text) => {
    print(text);
    say("The program has raised an error: see below it.");
  },
  ready: () => {
    going = true;
    say("Python is there.");
  },
  ran: (shows) => {
    run.disabled = false;
    going = shows;
    if (!shows && printed.hidden) say("The program has run. It does not end in a session, so there is none to show.");
  },
};

async function load({ esm, css }) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  const address = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  return (await import(address)).default;
}

function runProgram() {
  run.disabled = true;
  printed.hidden = true;
  printed.textContent = "";
  going = worker !== null && page !== null;
  heardAt = performance.now();
  worker.postMessage({ program: program.value });
}

function print(text) {
  printed.hidden = false;
  printed.textContent = (printed.textContent + text).slice(-MOST_PRINTED);
}

// ── the view ──

async function show(traits) {
  const model = new Model(traits, (content) => worker.postMessage({ message: JSON.stringify(content) }));
  const shown = { model, close: () => {} };
  view?.close();
  view = shown;
  const { render } = await page;
  if (view !== shown) return; // another program has been quicker
  shown.close = render({ model, el: root });
  model.on("change:plan", () => places(model.get("plan").boxes));
  model.on("change:frame", () => told(JSON.parse(model.get("frame"))));
  places(model.get("plan").boxes);
  told(JSON.parse(model.get("frame")));
}

/** What the page itself says of the job: the view says the rest. */
function told({ state, closed }) {
  const alive = !closed && (state === "running" || state === "draining");
  inject.querySelector("button").disabled = !alive;
  if (status.dataset.state === state) return;
  status.dataset.state = state;
  say(alive ? "It runs, in this page. Press Pause, then Step; or put a packet in." : `The job is ${state}.`);
}

function places(boxes) {
  const chosen = into.value;
  const names = boxes.filter(({ kind, service }) => kind !== "source" && !service).map(({ name }) => name);
  into.replaceChildren(...names.map((name) => new Option(name, name, false, name === chosen)));
  inject.querySelector("button").disabled = true;
  delete status.dataset.state;
}

// ── by hand ──

inject.onsubmit = (event) => {
  event.preventDefault();
  view?.model.send({ cmd: "inject", args: { task: into.value, value: value.value }, id: `page-${++asked}` });
};
run.onclick = runProgram;
afresh.onclick = begin;
program.onkeydown = (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  if (!run.disabled) runProgram();
};

// Nobody can ask Python why it does not answer.
setInterval(() => {
  const silent = going && performance.now() - heardAt > SILENT_MS;
  if (silent) say(SILENT);
  else if (status.textContent === SILENT) say("Python answers again.");
}, 500);

program.value = await (await fetch("program.py")).text();
begin();
