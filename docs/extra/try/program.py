import itertools
import time

import runtime


def readings():
    for n in itertools.count():
        time.sleep(0.25)
        yield n % 7, 20 + n * n % 11


def describe(reading):
    time.sleep(0.5)
    day, degrees = reading
    return f"day {day}: {degrees} degrees"


session = runtime.Session("try it")
warm = session.source(readings, name="readings").filter(lambda r: r[1] > 21, name="warm", capacity=8)
warm.map(describe, name="describe", parallelism=2, capacity=8).sink(str, name="shelf", capacity=8)

session.start()
session
