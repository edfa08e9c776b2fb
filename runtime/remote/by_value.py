"""Errors and packets by value: what arrives of them in another process. Knows no mail.

An error keeps its type, its arguments, its notes, its cause and its traceback. What cannot be pickled arrives as a
text, for a person to read.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from tblib import Traceback

from runtime.dead_letters import DeadLetter
from runtime.errors import DataflowError, failure_text
from runtime.preview import preview
from runtime.remote.freight import arrives
from runtime.task.report import TaskReport


class SentError(NamedTuple):
    """An error on its way, with what pickling would leave behind."""

    error: BaseException
    traceback: dict[str, Any] | None
    cause: SentError | None
    context_hidden: bool


def send_error(error: BaseException, packet: Any) -> SentError:
    """What arrives of an error that happened on `packet`."""
    traceback = Traceback(error.__traceback__).as_dict() if error.__traceback__ is not None else None
    cause = send_error(error.__cause__, packet) if error.__cause__ is not None else None
    if not arrives(error):
        error = DataflowError(f"{failure_text(packet, error)} (an error that cannot be pickled)")
    return SentError(error, traceback, cause, error.__suppress_context__)


def received_error(sent: SentError) -> BaseException:
    """The error, as it was where it was raised."""
    error = sent.error
    if sent.traceback is not None:
        error.__traceback__ = Traceback.from_dict(sent.traceback).as_traceback()
    if sent.cause is not None:
        error.__cause__ = received_error(sent.cause)
    error.__suppress_context__ = sent.context_hidden
    return error


def send_value(value: Any) -> Any:
    """The value, or a text for it if it cannot be pickled."""
    return value if arrives(value) else preview(value)


def send_report(report: TaskReport) -> tuple[TaskReport, SentError | None]:
    """A task's report, and its error beside it."""
    if report.error is None:
        return report, None
    sent = send_error(report.error, report.packet)
    return replace(report, error=None, packet=send_value(report.packet)), sent


def received_report(report: TaskReport, sent: SentError | None) -> TaskReport:
    """The report as it was made."""
    return report if sent is None else replace(report, error=received_error(sent))


def send_letter(letter: DeadLetter) -> tuple[DeadLetter, SentError]:
    """A dead letter, and its error beside it."""
    sent = send_error(letter.error, letter.packet)
    packet, key = send_value(letter.packet), send_value(letter.key)
    return replace(letter, error=sent.error, packet=packet, key=key), sent


def received_letter(letter: DeadLetter, sent: SentError) -> DeadLetter:
    """The letter as it was written."""
    return replace(letter, error=received_error(sent))
