"""A training step that a GPU replays: the same sums, started by one call instead of thousands.

The model is so small that a GPU waits for Python most of the time.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

WARM_UP = 5  # calls before the one that is recorded; they set up memory and the optimizer


class Replayed:
    """A function of tensors of fixed shapes. On the CPU it is called; on a GPU, recorded once.

    It gets copies on the device and gives one tensor. What it does besides must only read and
    write tensors that stay where they are: weights, averages, an optimizer's state.
    """

    def __init__(self, function: Callable[..., Tensor], device: str) -> None:
        self._function = function
        self._device = device
        self._calls = 0
        self._inputs: list[Tensor] = []
        self._graph: torch.cuda.CUDAGraph | None = None
        self._result = torch.zeros(())

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Run it once."""
        if self._device == "cpu":
            return self._function(*inputs)
        if self._graph is None and self._calls < WARM_UP:
            self._calls += 1
            return self._warm_up(*inputs)
        if self._graph is None:
            self._inputs = [value.to(self._device) for value in inputs]
            torch.cuda.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self._result = self._function(*self._inputs)
            self._graph = graph
        for kept, value in zip(self._inputs, inputs):
            kept.copy_(value)
        self._graph.replay()
        return self._result

    def _warm_up(self, *inputs: Tensor) -> Tensor:
        # Recording needs what came before it to have run on another stream than the usual one.
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            result = self._function(*(value.to(self._device) for value in inputs))
        torch.cuda.current_stream().wait_stream(stream)
        return result
