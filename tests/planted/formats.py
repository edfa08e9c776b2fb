"""Bugs of what lies in lanes: of what is shown, edited, told and taken apart of it."""

from __future__ import annotations

from typing import Final

from tests.planted.records import Mutant, one

ELEMENT = "communication/element.py"
FORMATS = "promises/test_15_formats.py::"
SHOWN = f"{FORMATS}test_what_waits_is_shown_and_edited_in_the_same_way_however_it_lies_there"
LETTER = f"{FORMATS}test_what_is_skipped_is_the_payload_with_its_key_and_input_and_goes_back_as_it_came"
CLOSED = f"{FORMATS}test_what_waited_at_a_close_is_still_shown_with_its_key_and_input"
FAILED_ON = f"{FORMATS}test_what_a_task_fails_on_is_the_payload"

OF_FORMATS: Final[tuple[Mutant, ...]] = (
    one(
        "format: an edit loses what travels", ELEMENT, ".exchanged(before[1], item[1]))", ".element_of(item[1]))", SHOWN
    ),
    one("format: a letter forgets its input", ELEMENT, "return payload, key, number", "return payload, key, 0", LETTER),
    one("format: a letter forgets its key", ELEMENT, "self._ctx.key if self._format.keyed else None", "None", LETTER),
    one(
        "format: a failure names the element",
        ELEMENT,
        "return self._format.parts(self._format.element_of(item))[1]",
        "return self._format.element_of(item)",
        FAILED_ON,
    ),
    one(
        "format: what is told of the hand's has no number",
        ELEMENT,
        "return (item[0], replace(self, numbered=False).told(item[1], tell))",
        "return replace(self, numbered=False).told(item[1], tell)",
        CLOSED,
    ),
    one("format: the hand numbers nothing", ELEMENT, "return (number, item) if", "return item if", SHOWN),
    one(
        "format: shown on another input",
        ELEMENT,
        "if self.numbered else (lane.input, item)",
        "if self.numbered else (0, item)",
        SHOWN,
    ),
)
