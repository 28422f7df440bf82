"""The failure table: every way in which work can end, as exception types, exit codes and reason classes.

One table feeds the command line's exit codes, the ledger's reason classes, the retry rules and the documentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FailureClass(StrEnum):
    """Why a computation ended without a result."""

    INTERRUPTION = "interruption"
    TRANSIENT = "transient"
    RESOURCE = "resource"
    PLATFORM = "platform"
    NUMERICS = "numerics"
    INPUT = "input"
    BUG = "bug"


@dataclass(frozen=True)
class FailureRule:
    """One row of the failure table.

    Parameters
    ----------
    exit_code
        Process exit code, 100-119 (64 and 65 belong to Argo).
    retry
        Whether trying again, unchanged, can help.
    budget
        The budget that an occurrence is charged to: ``interruptions``, ``errors`` or ``none``.
    meaning
        What happened, in words for a person.
    remedy
        What to do about it.
    """

    exit_code: int
    retry: bool
    budget: str
    meaning: str
    remedy: str


FAILURES: dict[FailureClass, FailureRule] = {
    FailureClass.INTERRUPTION: FailureRule(
        100, True, "interruptions", "the process was asked to stop; everything up to then is saved", "run it again"
    ),
    FailureClass.TRANSIENT: FailureRule(
        101, True, "errors", "a service (storage, network) failed for the moment", "run it again"
    ),
    FailureClass.RESOURCE: FailureRule(
        102, False, "errors", "memory, disk or GPU memory ran out", "plan the task again one memory tier up"
    ),
    FailureClass.PLATFORM: FailureRule(
        103,
        False,
        "none",
        "the machine cannot do this at all (no platform, image, quota or package)",
        "polyomics doctor",
    ),
    FailureClass.NUMERICS: FailureRule(
        104, False, "errors", "the computation became unstable or did not converge", "another seed, or a smaller step"
    ),
    FailureClass.INPUT: FailureRule(105, False, "none", "the request itself is wrong", "change the named field"),
    FailureClass.BUG: FailureRule(106, False, "errors", "a defect in PolyOmics", "report it with the log"),
}


class PolyOmicsError(Exception):
    """Base of every failure that PolyOmics raises itself.

    Parameters
    ----------
    reason
        What is wrong, in one sentence.
    subject
        The polymer, file or task concerned.
    field
        The input field concerned.
    remedy
        What the user can do.
    """

    failure_class: FailureClass = FailureClass.BUG

    def __init__(self, reason: str, *, subject: str = "", field: str = "", remedy: str = "") -> None:
        super().__init__(reason, subject, field, remedy)
        self.reason = reason
        self.subject = subject
        self.field = field
        self.remedy = remedy

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.subject, self.field) if part)
        text = f"{where}: {self.reason}" if where else self.reason
        return f"{text} (remedy: {self.remedy})" if self.remedy else text

    def __reduce__(self) -> tuple[object, ...]:
        keywords = {"subject": self.subject, "field": self.field, "remedy": self.remedy}
        return (_rebuild, (type(self), self.reason, keywords))


def _rebuild(kind: type[PolyOmicsError], reason: str, keywords: dict[str, str]) -> PolyOmicsError:
    return kind(reason, **keywords)


class InputError(PolyOmicsError, ValueError):
    """The request is wrong: no retry can help."""

    failure_class = FailureClass.INPUT


class UnsupportedError(InputError):
    """The request is well formed, but outside what PolyOmics computes."""


class NumericsError(PolyOmicsError, ArithmeticError):
    """The simulation or fit became unstable."""

    failure_class = FailureClass.NUMERICS


class PlatformError(PolyOmicsError, RuntimeError):
    """This machine lacks something the computation needs."""

    failure_class = FailureClass.PLATFORM


class ResourceError(PolyOmicsError, MemoryError):
    """Memory or disk ran out."""

    failure_class = FailureClass.RESOURCE


class TransientError(PolyOmicsError, OSError):
    """A service failed for the moment."""

    failure_class = FailureClass.TRANSIENT


class NotFoundError(PolyOmicsError, KeyError):
    """An object, task or table does not exist."""

    failure_class = FailureClass.INPUT

    __str__ = PolyOmicsError.__str__


class ConflictError(PolyOmicsError):
    """Two writers disagree on the content of one create-only object."""


class Interrupted(BaseException):
    """The process was asked to stop; not an ``Exception``, so that no handler records it as a scientific failure."""

    failure_class = FailureClass.INTERRUPTION


def failure_class_of(error: BaseException) -> FailureClass:
    """Return the failure class of any exception; an unknown one is a bug, running out of memory is a resource."""
    declared = getattr(error, "failure_class", None)
    if isinstance(declared, FailureClass):
        return declared
    if isinstance(error, MemoryError):
        return FailureClass.RESOURCE
    if isinstance(error, KeyboardInterrupt):
        return FailureClass.INTERRUPTION
    return FailureClass.BUG
