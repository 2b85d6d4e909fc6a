"""Footage: what the user filmed, and what can be seen in it."""
from .sources import open_footage, read_frames

__all__ = ['open_footage', 'read_frames']
