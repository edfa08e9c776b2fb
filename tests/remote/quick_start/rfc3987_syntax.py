"""Not there, for the workers of a test run.

Ray imports jsonschema, which imports this package where there is one (Jupyter brings it), and it compiles a grammar for
1.2 s: in each worker, for a check that nobody makes. jsonschema does without it.
"""

raise ImportError
