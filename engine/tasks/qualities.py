"""The qualities of a reconstruction: one table of their steps and options.

Another quality is a Quality in here and its name among the choices of specs.py; what its steps do
lives in a room of its own, and a step of it (core/pipeline.py) says what it takes and what it
keeps.
"""

from __future__ import annotations

from dataclasses import replace

from ..evidence.options import StandardOptions, TrackOptions
from .appearance import ALBEDO_FILES
from .personal import find_own_surface
from .steps import (
    Quality,
    bake_texture,
    bind_landmarks,
    detect_views,
    film_clips,
    read_model,
    refine_with_pictures,
    track_landmarks,
    write_files,
)

FILES = (
    'rig.npz',
    'performance.npz',
    'performance.csv',
    'cameras.json',
    'parts.npz',
    'overlay.png',
    'report.json',
)

# What comes before every quality's own steps: with the model, a run's checkpoints are known.
OPENING = (read_model, bind_landmarks)

STANDARD = Quality(
    finding=(detect_views, track_landmarks, refine_with_pictures),
    writing=(write_files, bake_texture, film_clips),
    # motion.npz: where there are several views
    files=(*FILES, 'motion.npz', *ALBEDO_FILES),
    detector='final',
    # more keyframes, and more renders to learn the detector's bias from; the mouth's response was
    # not measured with pictures
    tracking=TrackOptions(keyframes=80, bias_renders=12, mouth_response=0.0),
    refinement=StandardOptions(),
)

QUALITIES = {
    'draft': Quality(
        finding=(detect_views, track_landmarks),
        writing=(write_files, film_clips),
        files=FILES,
        detector='draft',
        tracking=TrackOptions(),
    ),
    'standard': STANDARD,
    'personal': replace(STANDARD, finding=(*STANDARD.finding, find_own_surface)),
}
