"""Races that take weeks to show up, made to show up now: many short runs while threads change every 10 µs.

Each test is a promise and plays at least `ROUNDS` rounds of it, each round from its own seed; a failure names the seed
and says where every task stood. Promises that need no race are in tests/promises.
"""
