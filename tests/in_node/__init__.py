"""The runtime in Python in WebAssembly, as in a tab of a browser, but in Node: `python -m tests.in_node`."""
