"""Part masks of pictures: segmented here, or the user's own.

`segment_parts` needs the face's landmarks, `segment_parts_at` finds them where the face should be;
`read_user_masks` opens label images that were made elsewhere. Labels are those of
face_model.part_labels.
"""

from .segment import MOUTH_CORNERS, cut_forehead, segment_parts
from .segment_at import segment_parts_at
from .user_masks import UserMasks, read_user_masks

__all__ = [
    'MOUTH_CORNERS',
    'UserMasks',
    'cut_forehead',
    'read_user_masks',
    'segment_parts',
    'segment_parts_at',
]
