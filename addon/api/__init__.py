"""The add-on for Python: what every operator does, as functions, one file a panel. They raise
FacewrightError and touch no interface.
"""

from . import shape_tools
from .appearance import (
    apply_albedo,
    apply_overlay,
    bake_job,
    image_editors,
    overlaps_in_words,
    overlay_job,
    reconstructed_head,
    result_folder,
)
from .cavities import (
    apply_fix,
    apply_flesh,
    apply_settled,
    fix_in_words,
    fix_job,
    flesh_job,
    settle_job,
)
from .comparison import (
    apply_comparison,
    blend_with_model,
    blended_in_words,
    comparison_in_words,
    comparison_job,
    hide_difference,
    show_difference,
)
from .crossings import (
    apply_crossings,
    crossings_in_words,
    crossings_job,
    hide_crossings,
    show_crossings,
)
from .footage import add_footage, checked_footage, move_footage, remove_footage
from .head import add_head, find_model, model_is_ready, use_model
from .head_jobs import head_job
from .markers import add_marker, apply_markers, count_markers, landmarks_job, remove_markers
from .performance import (
    export_performance,
    heads_in,
    import_performance,
    rename_shape_keys,
    sample_performance,
    sides_apart,
    smooth_performance,
)
from .pins import pinned, unpin
from .reconstruct import (
    apply_result,
    clip_over,
    head_cameras,
    lay_clip_over,
    look_through,
    model_of_result,
    neutral_index,
    notes,
    reconstruction,
    result_job,
    rig_of_head,
    show_wire,
    show_worst_frame,
    verdict_in_words,
    warnings_of,
)
from .selection import chosen_meshes, companions, select_companions
from .shape_keys import apply_shape_keys
from .shared import checked_path, group_weights, select
from .wrapping import apply_head, fit_in_words
