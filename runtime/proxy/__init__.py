"""What functions and services call other services through."""

from runtime.proxy.proxy_manager import DEFAULT_TIMEOUT_S, ProxyManager

__all__ = ["DEFAULT_TIMEOUT_S", "ProxyManager"]
