"""Windows' job objects: a program, and all that it starts, which end together, and with the handle that holds them.

The system closes the handles of a process that has ended, whatever the reason: so what is in a job that ends with its
last handle never outlives whoever holds it.
"""

from __future__ import annotations

import ctypes
from ctypes import c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any

KILL_ON_JOB_CLOSE = 0x2000
EXTENDED_LIMIT_INFORMATION = 9
SET_QUOTA_AND_TERMINATE = 0x0100 | 0x0001


class _BasicLimits(ctypes.Structure):
    _fields_ = [
        ("PerProcessUserTimeLimit", c_int64),
        ("PerJobUserTimeLimit", c_int64),
        ("LimitFlags", c_uint32),
        ("MinimumWorkingSetSize", c_size_t),
        ("MaximumWorkingSetSize", c_size_t),
        ("ActiveProcessLimit", c_uint32),
        ("Affinity", c_size_t),
        ("PriorityClass", c_uint32),
        ("SchedulingClass", c_uint32),
    ]


class _ExtendedLimits(ctypes.Structure):
    _fields_ = [
        ("BasicLimitInformation", _BasicLimits),
        ("IoInfo", c_uint64 * 6),
        ("ProcessMemoryLimit", c_size_t),
        ("JobMemoryLimit", c_size_t),
        ("PeakProcessMemoryUsed", c_size_t),
        ("PeakJobMemoryUsed", c_size_t),
    ]


def kernel32() -> Any:
    """The functions that are called, with the types that they have: a handle is as wide as a pointer."""
    found = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
    found.CreateJobObjectW.argtypes, found.CreateJobObjectW.restype = [c_void_p, c_void_p], c_void_p
    found.OpenProcess.argtypes, found.OpenProcess.restype = [c_uint32, c_int32, c_uint32], c_void_p
    found.SetInformationJobObject.argtypes = [c_void_p, c_int32, c_void_p, c_uint32]
    found.AssignProcessToJobObject.argtypes = [c_void_p, c_void_p]
    found.TerminateJobObject.argtypes = [c_void_p, c_uint32]
    found.CloseHandle.argtypes = [c_void_p]
    return found


class JobObject:
    """A job with the process ``pid`` in it, and what that starts from now on; ``held`` is False where the system
    would not have it, and then it ends nothing. ``api`` is kernel32, or what stands in for it."""

    def __init__(self, pid: int, api: Any = None) -> None:
        self._api = api if api is not None else kernel32()
        self._handle = self._api.CreateJobObjectW(None, None)
        self.held = bool(self._handle) and self._limited() and self._takes(pid)

    def _limited(self) -> bool:
        limits = _ExtendedLimits()
        limits.BasicLimitInformation.LimitFlags = KILL_ON_JOB_CLOSE
        size = ctypes.sizeof(limits)
        return bool(
            self._api.SetInformationJobObject(
                self._handle, EXTENDED_LIMIT_INFORMATION, ctypes.byref(limits), size
            )
        )

    def _takes(self, pid: int) -> bool:
        process = self._api.OpenProcess(SET_QUOTA_AND_TERMINATE, False, pid)
        if not process:
            return False
        try:
            return bool(self._api.AssignProcessToJobObject(self._handle, process))
        finally:
            self._api.CloseHandle(process)

    def end(self) -> None:
        """Ends all that is in it."""
        if self.held:
            self._api.TerminateJobObject(self._handle, 1)

    def close(self) -> None:
        """Ends it too: it is the last handle."""
        if self._handle:
            self._api.CloseHandle(self._handle)
        self._handle, self.held = None, False
