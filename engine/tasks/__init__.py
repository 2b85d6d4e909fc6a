"""What a user can ask for. Each task is a generator of Progress whose return value is a dict that JSON can hold.

The add-on runs them in a child process (worker.py), the command line and the tests directly.
"""

from .appearance import bake_albedo, preview_overlay
from .clips import scene_clips
from .models import download_model, import_model
from .part_iou import bench_part_iou
from .reconstruct import reconstruct
from .settling import settle
from .shape_keys import (
    check_intersections,
    fix_cavities,
    scan_landmarks,
    shape_keys,
    tetrahedra,
    wrap,
)
from .shared import VERSION, Task

TASKS = {
    task.__name__: task
    for task in (
        reconstruct,
        bake_albedo,
        preview_overlay,
        import_model,
        download_model,
        scene_clips,
        scan_landmarks,
        wrap,
        shape_keys,
        tetrahedra,
        fix_cavities,
        check_intersections,
        settle,
        bench_part_iou,
    )
}
