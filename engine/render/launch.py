"""Warp kernels on torch tensors: in torch's own CUDA stream, or on all processor cores."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
import warp as wp

from ..core.errors import FacewrightError

wp.config.log_level = wp.LOG_ERROR  # it prints its start-up and every kernel load otherwise
wp.init()  # while one thread alone imports: of two that begin at once each would start it

# Of every module of kernels here: backward passes are written out, and CPU and CUDA round alike
# (no fused multiply-add).
OPTIONS = {'enable_backward': False, 'fuse_fp': False}

# Not torch's number of threads: those of OpenMP wait by spinning, and a solver of many small steps
# is faster with one of them.
CORES = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
if os.environ.get('OMP_NUM_THREADS', '').isdecimal():
    CORES = max(1, min(CORES, int(os.environ['OMP_NUM_THREADS'])))
LEAST = 16384  # kernel threads for which a further core is worth waking
_cores = ThreadPoolExecutor(CORES, thread_name_prefix='render')
_loading = threading.RLock()


def launch(kernel: wp.Kernel, dim: tuple[int, int], *inputs, rows: int | None = None) -> None:
    """Run a kernel on tensors, which become arrays of the types it declares, their memory shared.

    Warp runs a kernel on one processor core; here every core gets a part. The kernel's first
    argument, `part`, is (number, first, last). No two parts may write to the same place. On CUDA
    there is one part.

    dim: threads; without rows the last dimension is cut: thread (b, k) is (b, first + k) of the
        whole
    inputs: the kernel's other arguments, in order; all tensors on one device
    rows: height of a picture: every part runs all of dim, for the rows first to last − 1 alone
    """
    device = next(value.device for value in inputs if isinstance(value, torch.Tensor))
    arrays = [
        wp.from_torch(
            value.detach(), dtype=argument.type.dtype, requires_grad=False, return_ctype=True
        )
        if isinstance(value, torch.Tensor)
        else value
        for value, argument in zip(inputs, kernel.adj.args[1:], strict=True)
    ]
    whole = dim[1] if rows is None else rows

    def part(number: int, first: int, last: int, where) -> wp.Launch:
        return prepared(
            kernel,
            (dim[0], last - first) if rows is None else dim,
            [wp.vec3i(number, first, last), *arrays],
            where,
        )

    host = wp.device_from_torch(device)
    if device.type == 'cuda':
        part(0, 0, whole, host).launch(wp.stream_from_torch(device))
        return
    count = parts(device, dim)
    ends = [whole * k // count for k in range(count + 1)]
    commands = [part(k, ends[k], ends[k + 1], host) for k in range(count)]
    others = [_cores.submit(command.launch) for command in commands[1:]]
    commands[0].launch()
    for other in others:
        other.result()


def prepared(kernel: wp.Kernel, dim: int | tuple[int, ...], inputs: Sequence, where) -> wp.Launch:
    """Make a launch of a kernel, its code loaded, of which `launch()` runs it.

    Of several threads that are the first to ask for a kernel one loads it and the others wait:
    Warp would load it for each, and drop what another is about to run.

    where: a device of Warp's, or its name
    """
    with _loading:
        return wp.launch(kernel, dim=dim, inputs=list(inputs), device=where, record_cmd=True)


def parts(device: torch.device, dim: tuple[int, int]) -> int:
    """Return how many parts a launch of dim has: at most one a core."""
    return 1 if device.type == 'cuda' else max(1, min(CORES, dim[0] * dim[1] // LEAST))


def fixed_point(bound: torch.Tensor, count: int) -> torch.Tensor:
    """Return the power of two (float64, one element) that turns floats into integers to be summed.

    Integers add up to the same bits in any order, floats don't: this makes atomic sums
    deterministic on CUDA. Multiplied by it, `count` values up to `bound` fit in 62 bits.

    bound: the largest value, a scalar tensor; where it is not finite the result is NaN, so that
        dividing by it gives NaN
    """
    exponent = 1023 + 61 - torch.frexp(bound.double()).exponent.long() - max(count, 1).bit_length()
    scale = (exponent.clamp(1, 2046) << 52).view(torch.float64)
    return torch.where(torch.isfinite(bound), scale, torch.nan).reshape(1)


def check(condition: bool, sentence: str) -> None:
    """Raise FacewrightError with the sentence unless the condition holds."""
    if not condition:
        raise FacewrightError(sentence)
