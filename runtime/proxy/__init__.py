"""What functions and services call other services through."""

from runtime.proxy.proxy_manager import DEFAULT_METHOD, DEFAULT_TIMEOUT_S, ProxyManager

__all__ = ["DEFAULT_METHOD", "DEFAULT_TIMEOUT_S", "ProxyManager"]
