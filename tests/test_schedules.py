"""Random graphs with services, joins, policies and faults, each under several seeds: exact, in order, bounded, ended.

3,000 schedules in the normal run, always the same ones. `SAGE_NB_SCHEDULES=100000` runs as many new ones, from a number
that the head of the run prints and that `SAGE_NB_SEED=` brings back. A failure prints the line that replays it.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.schedules import ScheduleRun, run, turns_text
from tests.schedule_plans import draw

SEEDS: Final = 3  # under how many each graph is run
SAMPLE: Final = 20  # every how many-th graph is run again
FREE: Final = 10  # every how many-th graph also runs on free threads

SCHEDULES: Final = int(os.environ.get("SAGE_NB_SCHEDULES", "3000"))
