"""Where the platform `remote` begins: says what to install where Ray is not there."""

from __future__ import annotations

from runtime.errors import GraphInvalid
from runtime.factory.backend import Backend


def remote_backend() -> Backend:
    """A job's way to run on Ray. Raises `GraphInvalid` if Ray is not installed."""
    try:
        from runtime.factory.ray_backend import RayBackend  # noqa: PLC0415  only for those who ask for it
    except ModuleNotFoundError as error:
        if error.name not in ("ray", "tblib"):
            raise
        raise GraphInvalid(f"platform 'remote' needs {error.name}: pip install 'sage-nb[ray]'") from error
    return RayBackend()
