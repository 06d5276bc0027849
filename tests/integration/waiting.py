"""Waiting for what another process does, with a bound."""

import time


def eventually(fn, timeout=10.0, what=None):
    """Calls fn until it returns something true and raises no AssertionError; returns that.

    Fails after `timeout` seconds with fn's last AssertionError, or with its last value.
    """
    deadline = time.monotonic() + timeout
    pause = 0.001
    while True:
        error = None
        value = None
        try:
            value = fn()
        except AssertionError as raised:
            error = raised
        if value:
            return value
        if time.monotonic() >= deadline:
            name = what or getattr(fn, "__name__", "condition")
            raise AssertionError(f"not within {timeout} s: {name}: {error or repr(value)}") from error
        time.sleep(pause)
        pause = min(pause * 2, 0.05)
