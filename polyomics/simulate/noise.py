"""Seeds of random noise, derived from the replica's seed and the absolute step, so that no noise is ever used twice."""

from __future__ import annotations

import hashlib

_LARGEST = 2**31 - 2


def noise_seed(replica_seed: int, absolute_step: int, purpose: str) -> int:
    """Return a seed for OpenMM, 1 to 2³¹ - 2 (0 would mean an unpredictable seed).

    Parameters
    ----------
    replica_seed
        Seed of the replica.
    absolute_step
        Step at which the noise begins.
    purpose
        ``integrator``, ``barostat`` or ``velocities``, with the number of the attempt.
    """
    digest = hashlib.blake2b(f"{replica_seed}:{absolute_step}:{purpose}".encode(), digest_size=8).digest()
    return 1 + int.from_bytes(digest, "little") % _LARGEST
