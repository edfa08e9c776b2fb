// Starts Python in WebAssembly, as a page does, with this tree and the wheels of the tests, and runs a module in it:
//   node run.mjs TREE INSTALLED MODULE ARGUMENT...
import { pathToFileURL } from "node:url";

const [tree, installed, module, ...given] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(`${installed}/node_modules/pyodide/pyodide.mjs`));
const py = await loadPyodide({ env: { HOME: "/home/pyodide", PYTEST_DISABLE_PLUGIN_AUTOLOAD: "1" } });
for (const [folder, root] of [["/tree", tree], ["/wheels", `${installed}/wheels`]]) {
  py.FS.mkdirTree(folder);
  py.FS.mount(py.FS.filesystems.NODEFS, { root }, folder);
}
let status = 2;
try {
  py.globals.set("given", py.toPy([module, ...given]));
  status = await py.runPythonAsync(`
import os, sys
sys.path[:0] = ["/tree", "/wheels"]
sys.dont_write_bytecode = True
os.chdir("/tree")
sys.argv = given
from importlib import import_module
import_module(given[0]).main(given[1:])
`);
} catch (error) {
  console.error(String(error));
}
process.exit(status);  // threads that still wait would keep it
