"""How well each region of a reconstructed face fits its footage: good, fair or poor, from the
figures kept with the head.
"""

from __future__ import annotations

import bpy

from ...engine.formats import verdicts
from . import results


def errors_of(head: bpy.types.Object) -> dict[str, list[float]]:
    """Return the error of each sample, region by region; of the whole face where regions were not
    measured; {} where nothing was.
    """
    if len(head.get(results.REGIONS, ())):
        return {region: list(values) for region, values in head[results.REGIONS].items()}
    whole = list(head.get(results.ERROR, ()))
    return {'face': whole} if whole else {}


def verdicts_of(head: bpy.types.Object) -> list[verdicts.Verdict]:
    """Return each region's verdict over the clip; [] where no face was seen or nothing measured."""
    judged = [verdicts.judge(region, values) for region, values in errors_of(head).items()]
    return [v for v in judged if v is not None]


def scene_frame(head: bpy.types.Object, sample: int) -> int:
    """Return the scene frame nearest to a sample."""
    return round(head[results.FRAMES][sample])


def grades_at(head: bpy.types.Object, frame: int) -> dict[str, str] | None:
    """Return {region: grade} at a scene frame; None where no face was seen there, or there is
    no sample.
    """
    sample = results.sample_at(head, frame)
    if sample is None:
        return None
    found = {
        region: values[sample] for region, values in errors_of(head).items() if values[sample] >= 0
    }
    return {region: verdicts.grade(region, value) for region, value in found.items()} or None
