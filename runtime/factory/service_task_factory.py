"""From a compiled graph to services: the wiring of each, and the service that a backend makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from runtime.communication.request_queue import RequestQueueDescriptor
from runtime.context import ServiceContext
from runtime.factory.backend import Backend, ServiceHandle
from runtime.graph import ExecutionGraph, ServiceNode
from runtime.proxy import ProxyManager
from runtime.service.base_service_task import ServiceReporter


def service_queues(graph: ExecutionGraph) -> Mapping[str, RequestQueueDescriptor]:
    """Where the requests to each service of a compiled graph go, and questions to each input that can be asked."""
    services = {node.name: cast(RequestQueueDescriptor, node.queue) for node in graph.service_nodes}
    return {**services, **graph.question_queues}


def create_service_task(
    node: ServiceNode, graph: ExecutionGraph, backend: Backend, reporter: ServiceReporter
) -> ServiceHandle:
    """The service of `node`, not started."""
    ctx = ServiceContext(node.name, graph.name, ProxyManager(node.name, service_queues(graph)))
    return backend.service(ctx, node, reporter)
