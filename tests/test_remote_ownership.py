"""Ray is started where nobody has, ended by whoever has started it, and says nothing. Each in a Python of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from ast import literal_eval
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[1]


def run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program until its end."""
    return subprocess.run(
        [sys.executable, "-c", dedent(program)],
        cwd=ROOT,
        env={**os.environ, "RAY_raylet_start_wait_time_s": "100", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )


def test_a_cluster_of_our_own_is_started_in_silence_and_is_gone_with_the_program() -> None:
    ran = run(
        """
        import runtime
        class Odd(Exception):
            pass
        def treat(value):
            if value == 7:
                raise Odd(value)
            return value * 2
        with runtime.Session("ours", platform="remote", on_error="skip") as session:
            result = session.source(range(10)).map(treat).collect()
            session.run(60)
            assert sorted(result) == [0, 2, 4, 6, 8, 10, 12, 16, 18], result
            assert type(session.dead_letters[0].error) is Odd
        import ray
        assert ray.is_initialized()
        print(ray.get_runtime_context().gcs_address)
        """,
        RAY_ADDRESS="127.0.0.1:1",  # somebody's, which nobody has asked us to join
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    (address,) = ran.stdout.splitlines()
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        assert probe.connect_ex((host, int(port))) != 0


def test_a_cluster_of_the_users_stays_and_an_address_that_nobody_answers_is_refused() -> None:
    ran = run(
        """
        import logging
        import runtime
        session = runtime.Session("away", platform="remote", ray_address="127.0.0.1:1")
        session.source(range(10)).map(abs).collect()
        try:
            session.start()
        except runtime.GraphInvalid as refusal:
            assert "ray_address='127.0.0.1:1'" in str(refusal), refusal
        else:
            raise AssertionError("joined nobody")
        assert session.status == "new"
        import ray
        ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        with runtime.Session("theirs", platform="remote") as session:
            result = session.source(range(10)).map(abs).collect()
            session.run(60)
        from runtime.ray.cluster import shut_down
        shut_down()
        assert ray.is_initialized()
        ray.shutdown()
        """
    )
    assert ran.returncode == 0, ran.stderr


def test_without_ray_it_is_said_what_to_install() -> None:
    ran = run(
        """
        import sys
        sys.modules["ray"] = None
        import runtime
        session = runtime.Session(platform="remote")
        session.source(range(10)).collect()
        try:
            session.start()
        except runtime.GraphInvalid as refusal:
            print(refusal)
        """
    )
    assert ran.stdout.startswith("platform 'remote' needs ray: "), ran.stderr


def test_a_start_says_what_it_is_doing_while_it_does() -> None:
    """By events, which a view shows, and by one line to who sits at a terminal."""
    ran = run(
        """
        import os, sys, threading
        import runtime
        inner, outer = os.openpty()
        sys.stderr = os.fdopen(outer, "w")
        session = runtime.Session("far", platform="remote")
        session.source(range(10)).map(abs, name="absolute").collect()
        starter = threading.Thread(target=session.start)
        starter.start()
        while not session.events:
            assert starter.is_alive()
        early = session.events[0].text
        starter.join()
        session.wait(60)
        print([event.text for event in session.events if event.kind == "start"])
        assert early == session.events[0].text
        session.close()
        session = runtime.Session("again", platform="remote")
        session.source(range(10)).map(abs, name="absolute").collect()
        session.run(60)
        session.close()
        sys.stderr.flush()
        print([os.read(inner, 10_000).decode()])
        """
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    events, line = map(literal_eval, ran.stdout.splitlines())
    starts = "Ray is being started on this machine: that takes some seconds, at most half a minute"
    assert events == [
        starts,
        "Ray is there",
        "2 processes are being made, one for each task and service that does not stay here",
        "2 processes are there, on 1 node",
        "started, 3 tasks",
    ]
    assert line == [f"{starts}\r\n"]  # and none when a cluster is there


@pytest.mark.parametrize(("version", "refused"), [("2.46.0", True), ("1.13.0", True), ("2.48.0", False)])
def test_a_ray_on_which_a_job_would_not_end_is_refused_by_name(tmp_path: Path, version: str, refused: bool) -> None:
    (tmp_path / f"ray-{version}.dist-info").mkdir()
    (tmp_path / f"ray-{version}.dist-info" / "METADATA").write_text(f"Name: ray\nVersion: {version}\n")
    ran = run(
        f"""
        import sys
        sys.path.insert(0, {str(tmp_path)!r})
        sys.modules["ray"] = None
        import runtime
        session = runtime.Session(platform="remote")
        session.source(range(10)).collect()
        try:
            session.start()
        except runtime.GraphInvalid as refusal:
            print(refusal)
        """
    )
    expected = f"needs Ray 2.48 or newer, and {version} is installed" if refused else "needs ray: "
    assert ran.stdout.startswith(f"platform 'remote' {expected}"), ran.stdout + ran.stderr


def test_a_cluster_that_a_thread_has_started_outlives_the_thread() -> None:
    ran = run(
        """
        import threading
        import runtime
        session = runtime.Session("far", platform="remote")
        result = session.source(range(10)).map(abs).collect()
        starter = threading.Thread(target=session.start, kwargs={"paused": True})
        starter.start()
        starter.join()
        session.step()
        session.resume()
        print(session.wait(60), len(result))
        session.close()
        """
    )
    assert ran.stdout == "Outcome(completed: 10 in, 10 out) 10\n", ran.stderr
