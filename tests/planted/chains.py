"""Bugs in chains: how they are closed, worked and opened, and what is counted of them meanwhile."""

from __future__ import annotations

from typing import Final

from tests.planted.records import Change, Mutant, one

CHAIN, LINE, LOOP, TREE_OF = "chain/chain.py", "chain/line.py", "chain/loop.py", "chain/tree.py"
GATHERING, WATCH = "chain/gathering.py", "chain/watch.py"
PARKER, LOCAL, ADMISSION = "scheduling/parker.py", "task/local_task.py", "scheduling/admission.py"
TESTS, MOMENTS = "chain/test_chains.py::", "chain/test_openings.py::"
HANDS = f"{TESTS}test_a_line_under_all_hands_loses_doubles_and_reorders_nothing"
ERROR = f"{TESTS}test_an_error_names_its_task_and_its_packet"
OPENINGS = f"{TESTS}test_thousands_of_openings_change_nothing_of_what_comes_out"
STUCK = f"{TESTS}test_a_function_that_is_stuck_holds_up_nobody_else"
SETTLED = f"{TESTS}test_nothing_is_settled_while_a_chain_has_its_packet"
PUT_IN = f"{TESTS}test_what_is_put_into_a_member_at_full_speed_is_worked"
OPENED = f"{TESTS}test_a_hand_opens_a_chain_at_full_speed"
WATCH_SEES = f"{TESTS}test_a_watch_that_falls_asleep_as_a_chain_begins_to_work_sees_it"
WATCH_ENDS = f"{TESTS}test_the_watch_over_chains_ends_with_its_job"
STOPS = f"{TESTS}test_a_stop_iteration_of_a_function_is_an_error_and_no_end"
KEPT = f"{TESTS}test_a_generator_is_closed_when_its_packet_is_over_however_its_chain_was_left"
SAME = "chain/test_same.py"
FOLD = "chain/test_kinds.py::test_a_keyed_fold_in_a_chain_folds_each_packet_once"
KEY = "chain/test_kinds.py::test_a_key_is_that_of_the_packet_in_work_though_a_chain_is_left_meanwhile"
SKIPPED = "chain/test_kinds.py::test_what_is_skipped_in_a_chain_is_a_dead_letter_and_nothing_else_is_lost"
LETTERS = "chain/test_kinds.py::test_letters_of_a_chain_hold_no_packets_but_their_own"
SEES_MEMBERS = "elif self._has_visitors():"
INSTANCES = "chain/test_instances.py::test_keys_under_all_hands_are_worked_by_their_instance_once_and_in_order"
TREE = "chain/test_trees.py::"
STUCK_BRANCH = f"{TREE}test_a_function_that_is_stuck_keeps_nothing_from_the_other_consumers"
TREE_ERROR = f"{TREE}test_an_error_in_a_tree_names_its_task_and_its_packet"
ONE_THREAD = f"{TREE}test_a_tree_needs_one_thread_to_its_end"
TREES = f"{TREE}test_a_tree_under_all_hands_loses_and_doubles_nothing"

GIVEN_BACK = "chain/test_places.py::test_all_places_are_given_back_however_often_chains_were_opened"

SIGNALS = (
    "promises/test_05_signals.py::test_a_signal_keeps_its_place_while_tasks_before_an_end_apart_are_worked_as_a_chain"
)

OF_CHAINS: Final[tuple[Mutant, ...]] = (
    one(
        "chain: a signal of a function's own is put in while packets are not counted yet",
        LOCAL,
        "            apart()  # what has come",
        "            # what has come",
        SIGNALS,
    ),
    one(
        "chain: one that has a place to run keeps it for ever",
        CHAIN,
        "        self._holder.make_room()\n",
        "",
        "chain/test_places.py::test_more_chains_than_may_run_at_once_all_go_on",
    ),
    one(
        "chain: who leaves its thread for a chain keeps its place to run",
        ADMISSION,
        'if parker.standing == "running":\n            self._free(parker)\n        parker.share()',
        "parker.share()",
        GIVEN_BACK,
    ),
    one(
        "chain: the task as which its thread goes on has no place to run",
        CHAIN,
        "            self._hold(owner)\n",
        "",
        GIVEN_BACK,
    ),
    one(
        "chain: a task that gets a thread of its own again runs without a place",
        LOCAL,
        "if failure is not None or self.has_begun():",
        "if failure is not None:",
        GIVEN_BACK,
    ),
    one(
        "chain: the packet in work is counted for the next task already",
        TREE_OF,
        "given > 0 or diverted != OUT or not (",
        "given > 0 or diverted != OUT and not (",
        ERROR,
        HANDS,
    ),
    one(
        "chain: a packet that is diverted is counted where it has not come",
        LINE,
        "self._tree.missing(made, at.site if is_own else OUT))",
        "())",
        HANDS,
        OPENINGS,
        SAME,
    ),
    one(
        "chain: a filter's counts are lost",
        LINE,
        "numbers.passed.get(site.parent, totals[site.parent])",
        "(totals[site.parent])",
        SAME,
    ),
    one(
        "chain: a diversion is one function late",
        LINE,
        "if is_own and self._owner == at.site:",
        "if is_own and self._owner in (at.site, made.site):",
        SAME,
        HANDS,
    ),
    one(
        "chain: what a flat_map has not yielded yet is lost at an opening",
        LINE,
        "given, key, results or iter(()))",
        "given, key, iter(()))",
        SAME,
        OPENINGS,
    ),
    Mutant(
        "chain: closed while a lane holds something",
        (
            Change(GATHERING, "if task.is_ready() or not task.is_free():", "if not task.is_free():"),
            Change(GATHERING, "task.is_free() and not task.is_ready() and", "task.is_free() and"),
            Change(CHAIN, SEES_MEMBERS, "elif False:"),
        ),
        (HANDS, OPENINGS),
    ),
    one("chain: what the hand puts into a member waits", CHAIN, SEES_MEMBERS, "elif False:", PUT_IN),
    one(
        "chain: an opening waits for the function at work",
        CHAIN,
        "            left = line.run(items)",
        "            with self.lock:\n                left = line.run(items)",
        STUCK,
    ),
    one(
        "chain: StopIteration of a function is taken for the end",
        CHAIN,
        "        except BaseException as raised:  # noqa: BLE001  the border to user code\n            error = raised",
        "        except StopIteration:\n            pass\n"
        "        except BaseException as raised:  # noqa: BLE001  the border to user code\n            error = raised",
        STOPS,
    ),
    one("chain: the watch never looks", WATCH, "return any(chain.look() for", "return any(not chain for", STUCK),
    one(
        "chain: the owner chosen is diverted all the same",
        LINE,
        "if is_own and self._owner == at.site:",
        "if False:",
        f"{MOMENTS}test_whoever_was_given_the_packet_in_work_works_it_though_its_function_had_not_begun",
    ),
    one(
        "chain: an opening is undone by new functions",
        CHAIN,
        "        if self.is_to_open:  # said before the loop was halted, if that was just undone\n",
        "        if False:\n",
        f"{MOMENTS}test_an_opening_is_not_undone_by_functions_that_are_put_into_the_loop",
    ),
    one(
        "chain: two that keep their thread are in one",
        LOCAL,
        "and (isinstance(operator, Source) or not self.keeps_thread)",
        "and True",
        f"{MOMENTS}test_two_that_keep_their_thread_are_in_one_chain_only_if_all_but_one_say_so",
    ),
    one(
        "chain: asked for under a seed, and silently none",
        "builder/environment.py",
        "if self.settings.seed is not None:\n            raise",
        "if False:\n            raise",
        f"{MOMENTS}test_whoever_asks_for_a_chain_where_there_is_none_is_told_so",
    ),
    Mutant(
        "chain: the watch is woken before there is anything to see",
        (
            Change(CHAIN, "        line.enter()\n", ""),
            Change(
                LINE,
                "        return self._loop.run(items)\n",
                "        self.enter()\n        return self._loop.run(items)\n",
            ),
        ),
        (WATCH_SEES,),
    ),
    one("chain: the watch outlives its job", WATCH, "or chain.is_over() for", "for", WATCH_ENDS),
    one(
        "chain: the watch sleeps through the end of its job",
        CHAIN,
        "        if self.is_over():\n",
        "        if False:\n",
        WATCH_ENDS,
    ),
    one("chain: a hand sets its flag and opens nothing", PARKER, "chain.open()", "pass", OPENED),
    one(
        "chain: settled while it has its packet",
        CHAIN,
        "        line.use()\n",
        "        line.use()\n        for task in self._closed:\n            task.rest()\n",
        SETTLED,
    ),
    one("chain: its last packet is kept", LINE, "        self._loop.forget()\n", "        pass\n", KEPT),
    one(
        "chain: the key of a packet that is diverted is asked for twice",
        LINE,
        "self._rests = self._rests_of(made, key)",
        "self._rests = self._rests_of(made)",
        FOLD,
    ),
    one(
        "chain: the key of a packet is set for a task that has its own thread by now",
        LINE,
        "return SimpleNamespace(key=None)",
        "return task.ctx",
        KEY,
    ),
    one(
        "chain: what follows one that is skipped is lost",
        LOOP,
        '{key}):", "        raise")',
        '{key}):", "        raise", "    break")',
        SKIPPED,
    ),
    one(
        "chain: letters hold the loop's last packet",
        LOOP,
        "            frame.clear()",
        "            pass",
        LETTERS,
    ),
    one(
        "chain: what the other consumers have not got yet is lost at an opening",
        LINE,
        "is_given = given ==",
        "is_given = True or given ==",
        TREES,
        STUCK_BRANCH,
    ),
    one("chain: a consumer that has a packet gets it again", TREE_OF, "At(parent, way + 1)", "At(parent, way)", TREES),
    one(
        "chain: a packet is counted for consumers that have not got it yet",
        TREE_OF,
        "missing |= set(self._next(number, site.way + 1))",
        "pass",
        TREES,
        TREE_ERROR,
    ),
    one(
        "chain: a result that somebody else has sends its maker's thread as well",
        LINE,
        "is_mine = self._owner == made.site",
        "is_mine = self._owner != NOBODY",
        STUCK_BRANCH,
    ),
    one(
        "chain: what a source that keeps its thread has not sent yet is lost",
        CHAIN,
        "None if line is None else line.rest_of(keeper), None",
        "None, None",
        TREES,
    ),
    Mutant(
        "chain: the second key function is asked by two threads",
        (Change(LOOP, "in keyed if way]", "in ()]"), Change(LOOP, "in keyed if not way]", "in keyed]")),
        (STUCK_BRANCH,),
    ),
    one("chain: the end of one consumer opens the chain", CHAIN, " and not task.is_about_to_end", "", ONE_THREAD),
    one(
        "chain: a packet that is diverted is counted for the instance of its key",
        TREE_OF,
        "            missing.add(diverted)",
        "            pass",
        INSTANCES,
    ),
    one(
        "chain: what is diverted goes to the first instance, whatever its key",
        "communication/router.py",
        "self.places[way].find(key) if len(lanes) > 1 else 0",
        "0",
        INSTANCES,
        SAME,
    ),
    one(
        "chain: what comes to an instance is counted for each of them",
        LINE,
        "numbers.came.get(number, made)",
        "(made)",
        INSTANCES,
    ),
)
