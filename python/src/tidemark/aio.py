"""Async forms of blocking methods.

`materialize_async = async_twin(materialize)` runs the method in asyncio's thread pool. Cancelling
the awaiting task asks the engine to stop, so that no work goes on behind the caller's back.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from tidemark._native import CancelToken

S = TypeVar("S")
P = ParamSpec("P")
R = TypeVar("R")

_token: ContextVar[CancelToken | None] = ContextVar("tidemark_cancel_token", default=None)


def current_token() -> CancelToken | None:
    """The token of the async call that is running here; None in a plain call."""
    return _token.get()


def async_twin(
    method: Callable[Concatenate[S, P], R],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, R]]:
    """The async form of `method`, with the same parameters and result."""

    @functools.wraps(method)
    async def twin(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        import asyncio

        from tidemark._native import CancelToken

        token = CancelToken()
        context = copy_context()
        context.run(_token.set, token)
        call = functools.partial(context.run, method, self, *args, **kwargs)
        try:
            return await asyncio.get_running_loop().run_in_executor(None, call)
        except asyncio.CancelledError:
            token.cancel()
            raise

    twin.__name__ = f"{method.__name__}_async"
    twin.__qualname__ = f"{method.__qualname__}_async"
    twin.__doc__ = f"The async form of `{method.__name__}`."
    return twin
