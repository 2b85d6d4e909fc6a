"""These tests run on whatever $FACEWRIGHT_DEVICE chooses."""

import pytest
import torch
from on_device import follow_the_choice


@pytest.fixture(autouse=True)
def on_the_chosen_device(monkeypatch):
    """Everything a test here makes lies on the chosen device."""
    follow_the_choice(monkeypatch)
    yield
    torch.set_default_device(None)
