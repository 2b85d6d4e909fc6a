"""From pictures to face landmarks: one room with two doors.

`detect_view` follows one face through a clip, `detect_image` finds the faces of one picture.
Nothing outside this package imports its insides, except `landmark_sets`: the constants that say
which landmark is what (tests/test_rooms.py reads the imports). A picture goes one way:

    mediapipe_networks   square crop → landmarks; square picture → boxes of faces
    landmark_sets        what the landmarks are called, and whose networks these are (NETWORKS)
    crop_landmarks       picture + crop → Face: augmented crops averaged, recentred, checked
    confidence           Face → how far each landmark can be trusted
    search               picture → Faces: windows of any size and roll
    follow               picture after picture → the one Face that is followed
    hands                picture after picture → the hands before it, the landmarks they cover
    detect               the two doors

Another landmark detector is added by touching two files, and a third where its confidence is judged
otherwise: a module beside mediapipe_networks.py that supplies a `networks.FaceNetworks` (landmarks
with presence and, where the network has one, a confidence each; boxes of faces), its sets and the
choice of it in landmark_sets.py, and confidence.py.
"""

from .detect import Detection, detect_image, detect_view
from .search import NEW_FACE_SCORE

__all__ = ['NEW_FACE_SCORE', 'Detection', 'detect_image', 'detect_view']
