"""Lets tests written for the processor's tensors run on the chosen device."""

from __future__ import annotations

import functools

import torch

from facewright.engine.core.device import HOST, device


def follow_the_choice(monkeypatch) -> None:
    """Make tensors and generators on `device()`; `.numpy()` fetches them from there by itself."""
    if device() == HOST:
        return
    fetched = torch.Tensor.numpy
    monkeypatch.setattr(torch.Tensor, 'numpy', lambda tensor, **o: fetched(tensor.cpu(), **o))
    monkeypatch.setattr(torch, 'Generator', functools.partial(torch.Generator, device()))
    torch.set_default_device(device())
