"""What is refused before anything runs, each by name and with the likely fix. Knows records and kinds only."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Sequence
from typing import Any

from runtime.errors import AsyncRefused, CyclicGraph, DuplicateName, GraphInvalid, UnconsumedStream, UnknownName
from runtime.graph.execution_graph import Edge, ExecutionGraph, OperatorNode, ServiceNode
from runtime.graph.policy import is_policy
from runtime.graph.rate import Rate
from runtime.python.asynchronous import async_method, refuse_async
from runtime.texts.preview import is_blank, is_printable, preview

OUTSIDE = "hand"  # among the callers of a service, who is no task and no service


def validate(graph: ExecutionGraph) -> None:
    """Raise a `GraphInvalid` that names the first thing in `graph` that cannot work."""
    names = Counter(operator.name for operator in graph.operators)
    for operator in graph.operators:
        if names[operator.name] > 1:
            raise DuplicateName(
                f"{names[operator.name]} operators are called {operator.name!r}; give one another name="
            )
        validate_operator(operator)
    for service in graph.service_nodes:
        if service.name in names:
            raise DuplicateName(f"an operator and a service are called {service.name!r}; give one another name")
        validate_service(service)
    for edge in graph.edges:
        for end in (edge.source, edge.target):
            if end not in names:
                raise UnknownName("operator", end, names)
    _validate_shape(graph)
    if circle := sorted(set(names) - set(graph.layers)):
        raise CyclicGraph(
            f"{', '.join(map(repr, circle))} feed each other, or are fed by operators that do; feedback loops are not "
            "supported: put the second round into a session of its own"
        )


def validate_operator(operator: OperatorNode) -> None:
    """Raise if the operator's own numbers or functions cannot work."""
    name = operator.name
    _validate_name(name, "an operator")
    _validate_numbers(
        name,
        parallelism=operator.parallelism,
        capacity=operator.capacity,
        max_results_bytes=operator.max_results_bytes,
    )
    if (why := operator.traits.single) and operator.parallelism > 1:
        raise GraphInvalid(f"{operator.kind} {name!r} cannot have parallelism {operator.parallelism}: {why}; use 1")
    if not is_policy(operator.on_error):
        raise GraphInvalid(
            f"on_error of {name!r} is {preview(operator.on_error)}; it can be 'fail', 'skip', 'hold' or a Retry"
        )
    if operator.rate is not None and not isinstance(operator.rate, Rate):
        raise GraphInvalid(f"rate of {name!r} is {preview(operator.rate)}; it can be a Rate, as Rate(60, per=60)")
    for function in () if operator.traits.may_await else operator.functions:
        refuse_async(function, name)


def validate_service(service: ServiceNode) -> None:
    """Raise if the service's own numbers or methods cannot work."""
    _validate_name(service.name, "a service")
    if service.name == OUTSIDE:
        raise GraphInvalid(f"a service cannot be called {OUTSIDE!r}: that is who calls from outside; name it otherwise")
    _validate_numbers(service.name, concurrency=service.concurrency, capacity=service.capacity)
    if not callable(service.make):
        raise GraphInvalid(
            f"service {service.name!r} needs a class, or a function without arguments that makes its object, not "
            f"{preview(service.make)}; of an object that is there already: lambda: it"
        )
    if not takes(service.make, 0):
        raise GraphInvalid(
            f"what makes service {service.name!r} needs arguments, and none are given: "
            f"{preview(service.make)}; use functools.partial or a lambda without arguments"
        )


def refuse_interceptor(interceptor: Any) -> None:
    """Raise if `interceptor` cannot be called, or would make a coroutine."""
    if not callable(interceptor) or isinstance(interceptor, type) or not takes(interceptor, 1):
        raise GraphInvalid(
            f"{preview(interceptor)} is no interceptor; give a function that takes an Invocation and returns the reply"
        )
    if async_method(interceptor) is not None:
        raise AsyncRefused(
            "an interceptor is an `async def`; it is called on a service's thread, which awaits nothing: make it a "
            "plain `def`"
        )


def takes(function: Any, count: int) -> bool:
    """Whether `function` can be called with so many arguments, as far as its signature says."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # written in C, without one
        return True
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _validate_name(name: Any, of: str) -> None:
    if type(name) is not str or "#" in name or is_blank(name) or not is_printable(name):
        raise GraphInvalid(
            f"{preview(name)} cannot be the name of {of}; use printable text without '#', which numbers tasks"
        )


def _validate_numbers(name: str, **numbers: Any) -> None:
    for what, number in numbers.items():
        if type(number) is not int or number < 1:
            raise GraphInvalid(f"{what} of {name!r} is {number!r}; it must be a whole number of at least 1")


def _validate_shape(graph: ExecutionGraph) -> None:
    for operator in graph.operators:
        inputs, outputs = graph.inputs(operator.name), graph.outputs(operator.name)
        if operator.traits.is_start:
            if inputs:
                raise GraphInvalid(f"{operator.name!r} is a {operator.kind} and cannot be fed by {inputs[0].source!r}")
        elif not inputs:
            raise GraphInvalid(f"nothing feeds {operator.name!r}; connect a source to it")
        elif not any(edge.input == 0 for edge in inputs):
            raise GraphInvalid(f"nothing feeds input 0 of {operator.name!r}; number its inputs 0 and 1")
        if operator.traits.is_end:
            if outputs:
                raise GraphInvalid(f"{operator.name!r} is a {operator.kind} and cannot feed {outputs[0].target!r}")
        elif not outputs:
            raise UnconsumedStream(
                f"nobody consumes the stream of {operator.name!r}; end it with .collect() or .sink(function)"
            )
        if len({edge.strategy == "hash" for edge in inputs}) > 1:
            unkeyed = next(edge.source for edge in inputs if edge.strategy != "hash")
            raise GraphInvalid(
                f"some inputs of {operator.name!r} are keyed and that from {unkeyed!r} is not; call key_by after union"
            )
        if any(edge.strategy == "first_free" for edge in inputs):
            _validate_first_free(operator, inputs)


def _validate_first_free(operator: OperatorNode, inputs: Sequence[Edge]) -> None:
    """Raise where an instance of `operator` is not busy with one packet, or is sent others as well."""
    name, why = operator.name, ""
    if operator.traits.is_awaited:
        why = "waits for many calls at once, and is not busy with one; leave first_free() out"
    elif operator.traits.fed_by is not None:
        why = f"takes many packets at once, as {operator.kind} does; leave first_free() out"
    elif len({edge.input for edge in inputs}) > 1:
        why = "has two inputs, and who sends to one does not know of the other; leave first_free() out"
    elif (other := next((edge for edge in inputs if edge.strategy != "first_free"), None)) is not None:
        why = f"is fed by {other.source!r} as well, which does not ask who is free; call first_free() after union"
    if why:
        raise GraphInvalid(f"packets are to go to the first free instance of {name!r}, which {why}")
