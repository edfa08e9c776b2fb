"""The layer under `threading` in a browser tab, where Python has one thread. Loaded on Emscripten alone."""
