"""As a pytest plugin (`-p tests.chain.alone`): nothing is chained by default, for tests of tasks by themselves."""

from __future__ import annotations

import runtime

settings = runtime.Session.__init__.__kwdefaults__
assert settings is not None
settings["chaining"] = False
