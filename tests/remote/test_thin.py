from collections import Counter

import pytest

import runtime

pytestmark = pytest.mark.on_ray


def test_a() -> None:
    with runtime.Session(platform="remote") as s:
        r = s.source(range(100), parallelism=2).map(lambda x: x * 2).collect()
        s.run(20)
        assert Counter(r) == Counter(range(0, 200, 2))
        print([f.node for f in s.snapshot()])


def test_b() -> None:
    test_a()
