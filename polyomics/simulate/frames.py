"""Trajectories packed to a thousandth of a nanometre: integers, differences in time, compressed without loss."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from polyomics.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from polyomics.polymer.topology import FloatArray

RESOLUTION_NM = 0.001
_MAGIC = b"POFR1\n"


@dataclass(frozen=True, eq=False)
class Frames:
    """Frames of one stage.

    Parameters
    ----------
    time
        ps, shape (f,).
    box
        Edges nm, shape (f, 3).
    positions
        nm, whole along bonds, multiples of 0.001, shape (f, n, 3).
    """

    time: FloatArray
    box: FloatArray
    positions: FloatArray


def quantise(positions: FloatArray) -> NDArray[np.int32]:
    """Return positions in units of 0.001 nm, shape as given."""
    return np.rint(np.asarray(positions) / RESOLUTION_NM).astype(np.int32)


def pack_frames(time: FloatArray, box: FloatArray, ticks: NDArray[np.int32]) -> bytes:
    """Return frames as compressed bytes.

    Parameters
    ----------
    time
        ps, shape (f,).
    box
        nm, shape (f, 3).
    ticks
        Quantised positions, shape (f, n, 3).
    """
    # Differences between successive frames are small: splitting them into byte planes leaves nearly empty high planes.
    steps = np.diff(ticks.astype(np.int32), axis=0, prepend=np.zeros_like(ticks[:1]))
    planes = np.ascontiguousarray(steps.reshape(-1)[:, None].view(np.uint8).reshape(-1, 4).T)
    buffer = io.BytesIO()
    np.savez(buffer, time=time, box=box, planes=planes, shape=np.array(ticks.shape))
    raw = buffer.getvalue()
    packed: bytes = pa.compress(raw, codec="zstd", asbytes=True)
    return _MAGIC + len(raw).to_bytes(8, "little") + packed


def unpack_frames(data: bytes) -> Frames:
    """Return the frames of :func:`pack_frames`.

    Raises
    ------
    polyomics.errors.InputError
        Not packed frames, or damaged.
    """
    head = len(_MAGIC)
    if data[:head] != _MAGIC:
        raise InputError("not a file of packed frames", field="frames")
    size = int.from_bytes(data[head : head + 8], "little")
    try:
        raw = pa.decompress(data[head + 8 :], decompressed_size=size, codec="zstd", asbytes=True)
        with np.load(io.BytesIO(raw)) as arrays:
            shape = tuple(arrays["shape"].tolist())
            steps = np.ascontiguousarray(arrays["planes"].T).view(np.int32).reshape(shape)
            positions = np.cumsum(steps, axis=0, dtype=np.int32).astype(np.float64) * RESOLUTION_NM
            return Frames(arrays["time"], arrays["box"], positions)
    except (pa.ArrowException, ValueError, KeyError, OSError) as error:
        raise InputError(f"packed frames are damaged ({error})", field="frames") from error
