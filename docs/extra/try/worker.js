// Python, in a worker: a program that never comes to an end leaves the page alive, which can end this and start anew.

import { loadPyodide } from "./pyodide/pyodide.mjs";

const post = (what) => postMessage(JSON.stringify(what));
const told = []; // messages that came before Python was there
let tab = null;

onmessage = ({ data }) => (tab === null ? told.push(data) : take(data));

/** A program, or a message of the view's page. Each has a stack of its own, so that it can wait. */
function take({ program, message }) {
  if (message !== undefined) tab.receive.callPromising(message).catch(failed);
  else
    tab.run
      .callPromising(program)
      .catch(failed)
      .then((shows) => post({ ran: shows }));
}

function failed(error) {
  post({ raised: `${error}\n` });
  return false;
}

async function bytes(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address} is not there (${answer.status})`);
  return answer.arrayBuffer();
}

try {
  const wheel = bytes("sage_nb.whl");
  const python = await loadPyodide({ indexURL: new URL("pyodide/", import.meta.url).href });
  python.unpackArchive(await wheel, "whl");
  const says = { batched: (line) => post({ says: `${line}\n` }) };
  python.setStdout(says);
  python.setStderr(says);
  const make = python.runPython("import runtime\nfrom sage_nb.tab import Tab\nTab");
  tab = make((text) => postMessage(text));
  post({ page: JSON.parse(tab.page()), ready: true });
  told.forEach(take);
} catch (error) {
  failed(error);
}
