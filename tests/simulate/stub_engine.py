"""An engine without physics whose end depends on every step exactly once: gaps and overlaps show in the last bit."""

from __future__ import annotations

import json
import time

import numpy as np

from polyomics.errors import NumericsError
from polyomics.simulate.plan import SegmentPlan, StagePlan


def plan(steps=400, segments=4, limit=None, stage="equilibrate", frames=0):
    made = tuple(SegmentPlan(f"part {i}", "nvt", steps // segments, 1.0, 300.0, 300.0) for i in range(segments))
    return StagePlan(stage, made, 0.01, 0, limit or steps, frames)


class StubEngine:
    def __init__(self, seed=0, pause=0.0, fails=None):
        self._seed, self._pause = seed, pause
        self._fails = dict(fails or {})  # absolute step -> how many attempts fail there
        self.opened, self.relaxed = [], 0

    def open(self, segment, done, state, step, attempt):
        self._segment, self._step, self._attempt = segment, step, attempt
        memory = {"x": 0, "step": 0} if state is None else json.loads(state)
        assert memory["step"] == step, "the state belongs to another step"
        self._x = memory["x"]
        self.opened.append((segment.name, done, step, attempt))

    def relax(self):
        self.relaxed += 1

    def advance(self, steps):
        if self._pause:
            time.sleep(self._pause)
        for _ in range(steps):
            self._step += 1
            self._x = (self._x * 6364136223846793005 + self._step + self._seed) % 2**53
            if self._attempt < self._fails.get(self._step, 0):
                raise NumericsError("blew up")

    def observe(self):
        return {"box": np.full(3, 10.0), "x": self._x, "centers": np.full((2, 3), float(self._step % 10))}

    def whole(self):
        return np.full((3, 3), self._step * 0.001), np.full(3, 10.0)

    def snapshot(self):
        return json.dumps({"x": self._x, "step": self._step}).encode()
