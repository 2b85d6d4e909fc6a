"""MediaPipe's networks of faces and hands, fed with crops we cut ourselves, without a state.

The same crop has the same answer.

MediaPipe 0.10.21's own face_mesh graph hides the presence score, remembers the last frame, samples
large faces without a filter, and opens its network files by a path (which fails under non-ASCII
install folders on Windows). These graphs hold only the networks and their decoding; we hand over
the network files as bytes.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import sys
import threading
import types
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...core.errors import FacewrightError
from .networks import CropFace, CropHand, CropLandmarks, FaceNetworks, HandNetworks

STUBS = ('matplotlib', 'matplotlib.pyplot', 'mediapipe.tasks', 'mediapipe.tasks.python')
WIDE_SIZE = 192  # pixels: side of the picture the landmark and the wide detection network take
NEAR_SIZE = 128  # pixels: the near one's
HAND_SIZE = 224  # pixels: the one's of a hand's joints


@functools.cache
def mediapipe():
    """Import the mediapipe package without its drawing helpers and tasks.

    And so without most of its declared dependencies.
    """
    os.environ.setdefault('GLOG_minloglevel', '3')
    kept = {name: sys.modules.get(name) for name in STUBS}
    for name in STUBS:
        sys.modules[name] = types.ModuleType(name)
        parent, _, child = name.rpartition('.')
        if parent in STUBS:
            setattr(sys.modules[parent], child, sys.modules[name])
    try:
        with _quiet():
            return importlib.import_module('mediapipe')
    except Exception as error:
        raise FacewrightError(
            f'MediaPipe cannot be loaded ({type(error).__name__}: {error}): '
            "install the engine's packages again."
        ) from error
    finally:
        for name, module in kept.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module


_silence = threading.RLock()  # of two threads at once each would restore the other's silence


@contextlib.contextmanager
def _quiet():
    """Send file descriptor 2 nowhere for a moment: there goes the library's start-up chatter."""
    with _silence:
        sys.stderr.flush()
        try:
            kept = os.dup(2)
        except OSError:  # no standard error at all (pythonw)
            yield
            return
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _node(calculator: str, body: str, options: str = '', extension: str = '') -> str:
    inside = (
        f'options {{ [mediapipe.{extension or calculator + "Options"}.ext] {{ {options} }} }}'
        if options
        else ''
    )
    return f'node {{ calculator: "{calculator}" {body} {inside} }}\n'


def _inference(low: int, size: int = WIDE_SIZE) -> str:
    """Picture → tensor in [low, 1] → network."""
    return (
        'input_stream: "image"\ninput_side_packet: "blob"\n'
        'executor { type: "ApplicationThreadExecutor" }\n'  # no threads of its own
        + _node(
            'TfLiteModelCalculator',
            'input_side_packet: "MODEL_BLOB:blob" output_side_packet: "MODEL:model"',
        )
        + _node('TfLiteCustomOpResolverCalculator', 'output_side_packet: "OP_RESOLVER:ops"')
        + _node(
            'ImageToTensorCalculator',
            'input_stream: "IMAGE:image" output_stream: "TENSORS:in"',
            f'output_tensor_width: {size} output_tensor_height: {size} '
            f'output_tensor_float_range {{ min: {low} max: 1 }}',
        )
        + _node(
            'InferenceCalculatorCpu',
            'input_stream: "TENSORS:in" output_stream: "TENSORS:out" '
            'input_side_packet: "MODEL:model" input_side_packet: "OP_RESOLVER:ops"',
            'delegate { xnnpack { num_threads: 1 } }',
            'InferenceCalculatorOptions',
        )
    )


LANDMARK_GRAPH = (
    'output_stream: "landmarks"\noutput_stream: "presence"\n'
    + _inference(0)
    + _node(
        'SplitTensorVectorCalculator',
        'input_stream: "out" output_stream: "shape" output_stream: "flag"',
        'ranges { begin: 0 end: 6 } ranges { begin: 6 end: 7 }',
        'SplitVectorCalculatorOptions',
    )
    + _node(
        'TensorsToFloatsCalculator',
        'input_stream: "TENSORS:flag" output_stream: "FLOAT:presence"',
        'activation: SIGMOID',
    )
    + _node(
        'TensorsToFaceLandmarksWithAttention',
        'input_stream: "TENSORS:shape" output_stream: "LANDMARKS:landmarks"',
    )
)


@dataclass(frozen=True)
class _Detector:
    """How a single-shot detector's boxes lie and are written.

    low: of the values [low, 1] that its picture is scaled to. anchors: of its layers.
    keypoints: numbers of a box's; each takes two of its numbers, behind the four of the box.
    threshold: least score of a box.
    """

    size: int
    anchors: str
    boxes: int
    low: int = -1
    keypoints: int = 6
    threshold: float = 0.3


def _detection_graph(detector: _Detector) -> str:
    """Decoding as in MediaPipe's own graph, with a lower threshold: others judge the candidates."""
    size = detector.size
    return (
        'output_stream: "detections"\n'
        + _inference(detector.low, size)
        + _node(
            'SsdAnchorsCalculator',
            'output_side_packet: "anchors"',
            f'input_size_width: {size} input_size_height: {size} '
            'min_scale: 0.1484375 max_scale: 0.75 anchor_offset_x: 0.5 anchor_offset_y: 0.5 '
            f'aspect_ratios: 1 fixed_anchor_size: true {detector.anchors}',
        )
        + _node(
            'TensorsToDetectionsCalculator',
            'input_stream: "TENSORS:out" output_stream: "DETECTIONS:raw" '
            'input_side_packet: "ANCHORS:anchors"',
            f'num_classes: 1 num_boxes: {detector.boxes} '
            f'num_coords: {4 + 2 * detector.keypoints} '
            f'x_scale: {size} y_scale: {size} w_scale: {size} h_scale: {size} '
            f'keypoint_coord_offset: 4 num_keypoints: {detector.keypoints} '
            'num_values_per_keypoint: 2 '
            'reverse_output_order: true sigmoid_score: true score_clipping_thresh: 100 '
            f'min_score_thresh: {detector.threshold}',
        )
        + _node(
            'NonMaxSuppressionCalculator',
            'input_stream: "raw" output_stream: "detections"',
            'min_suppression_threshold: 0.3 overlap_type: INTERSECTION_OVER_UNION '
            'algorithm: WEIGHTED',
        )
    )


FOUR_LAYERS = (
    'num_layers: 4 strides: 8 strides: 16 strides: 16 strides: 16 '
    'interpolated_scale_aspect_ratio: 1'
)
WIDE_GRAPH = _detection_graph(
    _Detector(WIDE_SIZE, 'num_layers: 1 strides: 4 interpolated_scale_aspect_ratio: 0', 2304)
)
NEAR_GRAPH = _detection_graph(_Detector(NEAR_SIZE, FOUR_LAYERS, 896))
# The joints' network judges the palms: a low threshold (MediaPipe's own is .5).
PALM_GRAPH = _detection_graph(_Detector(WIDE_SIZE, FOUR_LAYERS, 2016, 0, 7, 0.2))

HAND_GRAPH = (
    'output_stream: "joints"\noutput_stream: "presence"\n'
    + _inference(0, HAND_SIZE)
    + _node(
        'SplitTensorVectorCalculator',
        'input_stream: "out" output_stream: "shape" output_stream: "flag"',
        'ranges { begin: 0 end: 1 } ranges { begin: 1 end: 2 }',
        'SplitVectorCalculatorOptions',
    )
    + _node(
        'TensorsToFloatsCalculator',
        'input_stream: "TENSORS:flag" output_stream: "FLOAT:presence"',
    )
    + _node(
        'TensorsToLandmarksCalculator',
        'input_stream: "TENSORS:shape" output_stream: "LANDMARKS:joints"',
        'num_landmarks: 21',
    )
)


class _Network:
    """A running MediaPipe graph: one picture in, the named packets out."""

    def __init__(self, graph: str, file: str, outputs: dict[str, str], size: int = WIDE_SIZE):
        mp = mediapipe()
        from mediapipe.python import packet_creator, packet_getter
        from mediapipe.python._framework_bindings import calculator_graph, image_frame, timestamp

        self._image, self._timestamp, self._create = (
            image_frame,
            timestamp.Timestamp,
            packet_creator,
        )
        self._get = {name: getattr(packet_getter, kind) for name, kind in outputs.items()}
        self._packets, self._clock, self._lock = {}, 0, threading.Lock()
        blob = (Path(mp.__file__).parent / 'modules' / file).read_bytes()
        with _quiet():
            self._graph = calculator_graph.CalculatorGraph(graph_config=graph)
            for name in outputs:
                self._graph.observe_output_stream(name, self._packets.__setitem__)
            self._graph.start_run({'blob': packet_creator.create_string(blob)})
            self(np.zeros((size, size, 3), np.uint8))

    def __call__(self, crop: np.ndarray) -> dict:
        with self._lock:
            self._packets.clear()
            self._clock += 1
            packet = self._create.create_image_frame(
                image_format=self._image.ImageFormat.SRGB, data=np.ascontiguousarray(crop)
            )
            self._graph.add_packet_to_input_stream('image', packet.at(self._clock))
            self._graph.wait_until_idle()
            return {
                name: get(self._packets[name])
                for name, get in self._get.items()
                if name in self._packets
            }


@functools.cache
def _landmark_network() -> _Network:
    return _Network(
        LANDMARK_GRAPH,
        'face_landmark/face_landmark_with_attention.tflite',
        {'landmarks': 'get_proto', 'presence': 'get_float'},
    )


@functools.cache
def _wide_network() -> _Network:
    return _Network(
        WIDE_GRAPH,
        'face_detection/face_detection_full_range_sparse.tflite',
        {'detections': 'get_proto_list'},
    )


@functools.cache
def _near_network() -> _Network:
    return _Network(
        NEAR_GRAPH,
        'face_detection/face_detection_short_range.tflite',
        {'detections': 'get_proto_list'},
        NEAR_SIZE,
    )


@functools.cache
def _palm_network() -> _Network:
    return _Network(
        PALM_GRAPH,
        'palm_detection/palm_detection_full.tflite',
        {'detections': 'get_proto_list'},
    )


@functools.cache
def _hand_network() -> _Network:
    return _Network(
        HAND_GRAPH,
        'hand_landmark/hand_landmark_full.tflite',
        {'joints': 'get_proto', 'presence': 'get_float'},
        HAND_SIZE,
    )


def _landmarks(crop: np.ndarray) -> CropLandmarks:
    """192×192×3 uint8 RGB crop around one face → its 478 landmarks; no confidence."""
    out = _landmark_network()(crop)
    points = np.array([(p.x, p.y, p.z) for p in out['landmarks'].landmark])
    return CropLandmarks(points, float(out['presence']))


def _wide_faces(crop: np.ndarray) -> list[CropFace]:
    """192×192×3 uint8 RGB → candidates, small faces too, best first."""
    return _decoded_faces(_wide_network()(crop))


def _near_faces(crop: np.ndarray) -> list[CropFace]:
    """128×128×3 uint8 RGB → candidates that fill a good part of it, best first; 4 times faster."""
    return _decoded_faces(_near_network()(crop))


def _palms(crop: np.ndarray) -> list[CropFace]:
    """192×192×3 uint8 RGB → candidates, best first."""
    return _decoded_faces(_palm_network()(crop))


def _hand(crop: np.ndarray) -> CropHand:
    """224×224×3 uint8 RGB crop around one hand → its joints."""
    out = _hand_network()(crop)
    joints = np.array([(p.x, p.y) for p in out['joints'].landmark]) / HAND_SIZE
    return CropHand(joints, float(out['presence']))


def _decoded_faces(packets: dict) -> list[CropFace]:
    """Keypoints of a face 6×2: right eye, left eye, nose tip, mouth, right ear, left ear."""
    found = []
    for d in packets.get('detections', ()):
        box = d.location_data.relative_bounding_box
        keypoints = np.array([(k.x, k.y) for k in d.location_data.relative_keypoints])
        corner_and_size = np.array([box.xmin, box.ymin, box.width, box.height])
        found.append(CropFace(float(d.score[0]), corner_and_size, keypoints))
    return sorted(found, key=lambda face: -face.score)


MEDIAPIPE = FaceNetworks(
    landmarks=_landmarks,
    landmarks_size=WIDE_SIZE,
    wide=_wide_faces,
    wide_size=WIDE_SIZE,
    near=_near_faces,
    near_size=NEAR_SIZE,
)

MEDIAPIPE_HANDS = HandNetworks(palms=_palms, palms_size=WIDE_SIZE, hand=_hand, hand_size=HAND_SIZE)
