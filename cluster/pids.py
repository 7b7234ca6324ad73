"""Processes by number: is it alive, and its end."""

import os
import signal

import psutil
import structlog

log = structlog.get_logger()


def runs(pid: int) -> bool:
    """False also for one that was killed and whose parent has not looked yet."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        log.info("was gone already", pid=pid)
