import numpy as np
import pytest

from polyomics.errors import InputError
from polyomics.simulate.frames import pack_frames, quantise, unpack_frames


def walk(frames, atoms):
    rng = np.random.default_rng(2)
    return np.cumsum(rng.normal(0.0, 0.05, size=(frames, atoms, 3)), axis=0) + rng.uniform(-9, 9, size=(1, atoms, 3))


def test_frames_come_back_to_a_thousandth_of_a_nanometre():
    positions, time, box = walk(20, 50), np.arange(20.0), np.full((20, 3), 3.3)
    frames = unpack_frames(pack_frames(time, box, quantise(positions)))
    assert np.abs(frames.positions - positions).max() <= 0.0005 + 1e-12
    np.testing.assert_array_equal(frames.time, time)
    np.testing.assert_array_equal(frames.box, box)


def test_two_hundred_frames_of_ten_thousand_atoms_stay_below_twenty_megabytes():
    positions = walk(200, 10_000)
    packed = pack_frames(np.arange(200.0), np.ones((200, 3)), quantise(positions))
    assert len(packed) < 20e6


def test_damage_is_noticed():
    packed = pack_frames(np.arange(3.0), np.ones((3, 3)), quantise(walk(3, 4)))
    with pytest.raises(InputError):
        unpack_frames(b"nonsense")
    with pytest.raises(InputError):
        unpack_frames(packed[:-10])
