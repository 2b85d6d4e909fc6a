"""The add-on for Python: what every operator does, as functions, one file a panel. They raise FacewrightError and touch no interface."""
from .footage import add_footage, kind_of, move_footage, remove_footage
from .head import add_head, find_model, model_is_ready, use_model
from .performance import export_performance, heads_in, import_performance, rename_shape_keys, sample_performance, smooth_performance
from .reconstruct import apply_result, look_through, model_of_result, reconstruction, show_worst_frame
from .shared import checked_path, select
