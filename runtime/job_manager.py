"""JobManager: compiles a written graph for each run, and keeps how the last one ended. Runs nothing itself."""

from __future__ import annotations

from dataclasses import replace

from runtime.builder.environment import Environment
from runtime.errors import GraphInvalid, SourceSpent, UnknownName
from runtime.factory import Backend, create_backend, is_of_processes, lanes_of, seed_refused
from runtime.facts import Outcome
from runtime.graph import ExecutionGraph, TaskNode, validate
from runtime.operators import OneRun
from runtime.questions.calling import QuestionQueue
from runtime.questions.gates import Gates


class JobManager:
    """Compiles the graph of an environment for each run; the dispatcher tells it how that ended."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.outcome: Outcome | None = None

    def compile(self, backend: Backend) -> ExecutionGraph:
        """The graph validated, its tasks named, everything with its queue's descriptor. Raises `GraphInvalid`."""
        written = self.environment.graph()
        validate(written)
        nodes = [
            TaskNode(
                task, operator.name, index, backend.queue(task, operator.capacity, lanes_of(written, operator.name))
            )
            for operator in written.operators
            for index, task in enumerate(written.tasks(operator.name))
        ]
        services = [
            replace(service, queue=backend.request_queue(service.name, service.capacity))
            for service in written.service_nodes
        ]
        asked = Gates(written, backend, {}).inputs if written.asked else []
        questions = {name: backend.request_queue(name, written.by_name[name].capacity, QuestionQueue) for name in asked}
        return written.compiled(tuple(nodes), tuple(services), questions)

    def submit(self) -> tuple[ExecutionGraph, Backend]:
        """Compile for a new run on the environment's platform. Raises `GraphInvalid`; the graph can then be mended."""
        for node in self.environment.graph().operators:
            if isinstance(node.function, OneRun) and node.function.is_spent:
                raise SourceSpent(
                    f"the iterator of {node.name!r} has been run already and cannot start again; give the source a "
                    "list, or a callable that makes a new iterator for each run"
                )
        backend = create_backend(self.environment.settings.platform)
        try:
            if (seed := self.environment.settings.seed) is not None:
                backend.use_seed(seed)
            if backend.travels:
                self._refuse_between_processes()
            self._use_cluster(backend)
            return self.compile(backend), backend
        except BaseException:
            backend.close()
            raise

    def validate(self) -> None:
        """Raise the `GraphInvalid` that `submit` would raise, as far as that is known before anything is made."""
        settings = self.environment.settings
        validate(self.environment.graph())
        if is_of_processes(settings.platform):
            if settings.seed is not None:
                raise seed_refused(settings.seed)
            self._refuse_between_processes()

    def _refuse_between_processes(self) -> None:
        """Raise `GraphInvalid` if an operator asks for what is not there where each task is a process."""
        graph = self.environment.graph()
        name = next((node.name for node in graph.operators if node.chained), None)
        if name is not None:
            raise GraphInvalid(
                f"{name!r} has chain=True on platform {self.environment.settings.platform!r}, where each task is a "
                "process of its own, and nothing is chained; leave that out"
            )
        target = next((edge.target for edge in graph.edges if edge.strategy == "first_free"), None)
        if target is not None:
            raise GraphInvalid(
                f"packets are to go to the first free instance of {target!r}, and its instances are processes "
                "of their own here, which do not tell each producer in time; leave first_free() out, or use "
                "platform='local'"
            )

    def _use_cluster(self, backend: Backend) -> None:
        """Let the backend know where to run what. Raises `UnknownName`, `GraphInvalid`."""
        settings, graph = self.environment.settings, self.environment.graph()
        known = [*graph.by_name, *(service.name for service in graph.service_nodes)]
        for name in settings.resources:
            if name not in known:
                raise UnknownName("operator or service with resources", name, known)
        if settings.ray_address is not None or settings.resources:
            backend.use_cluster(settings.ray_address, settings.resources)

    def job_starts(self) -> None:
        """The session: all tasks are made. From now on the graph cannot change."""
        for node in self.environment.graph().operators:
            if isinstance(node.function, OneRun):
                node.function.spend()
        for collected in self.environment.collected:
            collected.clear()
        self.outcome = None
        self.environment.freeze()

    def job_ended(self, outcome: Outcome) -> None:
        """Dispatcher: the run has ended."""
        self.outcome = outcome
