"""The tracker's settings, each with its unit and where its number comes from."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class TrackOptions:
    """All priors are standard deviations of zero-mean Gaussians unless said otherwise."""

    # frames that share in finding identity and focal length (measured here: more changes nothing)
    keyframes: int = 48
    rounds: int = 4  # times the constant errors are found again between fits
    # the same with a head that is known: they settle sooner (three captures: one to four rounds
    # change the surface by 1 % or two, either way; but after two less of what is constant has gone
    # to the detector, and the errors that are told would be a fifth below those of a head found
    # anew)
    known_rounds: int = 3
    bias_renders: int = 6  # fitted heads rendered per view to learn the detector's bias; 0: none
    bias_rounds: int = 3  # rounds that do so
    iterations: int = 12  # Gauss-Newton steps for keyframes
    window: int = 240  # frames solved together once identity is known: keeps memory flat
    overlap: int = 16  # frames two windows share
    # landmark noise as part of the face's RMS radius in the picture (measured here)
    noise: float = 0.02
    # weight of a landmark's square: neighbours err together, 478 are not 478 opinions (measured
    # here)
    data: float = 0.045
    robust: float = 3.0  # Cauchy scale, in units of noise
    # how many times freer a face-oval point is along the oval than across it
    contour_tangent: float = 6.0
    # what a face-oval point's residual counts, whichever way (measured here: 6-10 mm off at 45° of
    # yaw)
    contour_trust: float = 0.3
    # how many times less noisy than others lid points are (measured here)
    lid_sharpness: float = 2.0
    iris_sharpness: float = 5.0  # the same for iris points
    # what the distance of an eye's lids beside its own open one counts (lid_term.py; 0: nothing)
    lids: float = 1.0
    lip_sharpness: float = 1.5  # lip points
    brow_sharpness: float = 1.2  # brow points
    identity: float = 1.0  # ICT's identity coefficients are N(0, 1) by construction
    # most that prior weighs against the keyframes (measured here): their errors are not independent
    identity_weight: float = 15.0
    # how much the prior's weight grows with each picture after the first, beside which it is 1:
    # as much of a picture's error as all pictures share. 15 at 48 keyframes; a photo lets the
    # person's shape speak (priors.identity_weight; measured here)
    shared_error: float = 0.3
    # weight of how expressions occur together in a recording (measured here); at every node, so in
    # Standard with several views oftener (once a frame: correlation .716, not .752)
    statistics: float = 0.3
    # how far that recording's mean expression is believed (measured here)
    statistics_mean: float = 0.5
    statistics_floor: float = 0.03  # weights' standard deviation added to every expression's
    # what an expression costs at most, per unit, however rare it was in that recording
    # (departures.py; measured here)
    departure: float = 10.0
    # how many times wider than recorded a blink's range is: a blink must close
    lid_range: float = 2.0
    decorrelate: float = 0.3  # how far expressions are taken as independent of each other
    # prior that most expression weights are zero: its slope there per unit, and the weight from
    # which it lets go (sparsity.py; measured here, see docs/bench.md)
    sparsity: float = 0.05
    sparsity_scale: float = 1e3
    # of the difference of a mouth's two sides, half of which lie within it (sides.py; 0: not asked)
    sides: float = 0.2
    # what the detector's own way with a mouth's shapes counts in a clip of one view (0: nothing).
    # With several the weights become better and the neutral worse (dev .04 mm, dev2 .015); a
    # photo's was not measured
    mouth_response: float = 1.0
    weight_velocity: float = 1.0  # velocity prior (a random walk) of a weight, per √s
    fast_velocity: float = 6.0  # the same for lids and gaze
    rotation_velocity: float = 2.0  # rad per √s
    translation_velocity: float = 25.0  # cm per √s
    # rad/s² × √s: white noise of acceleration, where several views' pictures lie between one
    # another's
    rotation_acceleration: float = 3.0
    # cm/s² × √s (a recorded performance moves its head far more calmly: it may do ten times as
    # much)
    translation_acceleration: float = 30.0
    # the same along the axis of a lone view, which knows it by the head's size alone (measured on
    # the true motion of three captures: .3 to 1.5 over .2 s)
    depth_acceleration: float = 2.0
    # 1/s² × √s (measured on a recorded performance: 7 over .1 s, 14 over .025 s)
    weight_acceleration: float = 15.0
    fast_acceleration: float = 60.0  # the same for lids and gaze
    # focal length per longer picture side, where unknown (a 48 mm lens on 35-mm film)
    focal_guess: float = 1.35
    focal_sigma: float = 0.35  # of its logarithm
    # the same where a video's own data name the lens: between all of its picture (1 / 1.15) and a
    # wide one that is steadied (1.2)
    named_focal_sigma: float = 0.1
    # cm: how far this person's landmark may lie from where the model has it
    bias_sigma: float = 0.12
    # the detector's constant error of a landmark in a view, as a part of the face's RMS radius
    view_bias: float = 0.03
    neutral_sigma: float = 0.03  # expression weights on the frame the user calls neutral


@dataclass(frozen=True)
class StandardOptions:
    """What 'standard' adds to the tracker: pictures and part masks (papers/4).

    Measured here on captures/dev unless said otherwise.
    """

    # frames of the first view that share in finding the person (with several views half of them,
    # each with the pictures up to the next): more bring less than more rounds do (dev, dev2, dev3)
    keyframes: int = 32
    key_rounds: int = 8  # times the pictures are sampled anew while the person is found
    # the same with a head that is known, whose appearance alone is found (dev, dev2, dev3)
    known_key_rounds: int = 3
    key_steps: int = 2  # Gauss-Newton steps a round
    rounds: int = 3  # the same for the performance, the person known
    lone_rounds: int = 2  # the same for one view, which gains nothing from more (bench.md)
    steps: int = 2
    window: int = 120  # frames solved together: keeps memory flat
    overlap: int = 8  # frames two windows share
    modes: int = 80  # smooth personal offset modes along each head axis
    # cm: how far such an offset usually goes, with several views and with one
    offset_spread: float = 0.3
    lone_offset_spread: float = 0.08
    finer: float = 2.0  # how much finer they are round lids and lips
    identity_weight: float = 15.0  # of the identity's prior, see TrackOptions
    landmarks: float = 0.4  # what the draft's landmark residuals count
    gaps: float = 1.0  # what each pair of landmarks across the lips or the lids counts (gaps.py)
    # what a match of two views' pictures counts of its own information (0: none): neighbours err
    # together
    stereo: float = 0.1
    # what all matches of one view's pictures count together, of one's information: the face is not
    # quite the same in them, nor how it is lit, and so they err alike
    lone_stereo: float = 1.0
    lone_rematch: int = 2  # rounds after which they are matched anew
    partners: int = 3  # pictures that each one of a lone view is matched with
    points: int = 1400  # surface points that are followed
    denser: float = 3.0  # how much more densely they lie on lids and lips
    photometric: float = 0.8  # what a point's residual counts
    shaded: float = 2.0  # what a point's colour beside albedo × light counts
    # of what a picture shows at a point, in units of the local contrast
    appearance_noise: float = 0.5
    redness: float = 1.0  # what redness counts beside brightness
    # pixels of the crop beside the root of the blur: the standard deviation of what is local
    local: float = 2.6
    blur: tuple[float, float] = (3.0, 0.8)  # pixels of the crop, first and last round
    fewest_samples: float = 3.0  # pictures a point must be seen in
    # what PRDL counts, its eight parts together with the landmarks and the pictures (0: none)
    parts: float = 0.5
    lips: float = 2.0  # how much more a lip counts
    eyes: float = 1.0  # the same for an eye
    brows: float = 0.3  # and for a brow
    # power of the share of a part that is seen: of a part half turned away the mask is a guess
    hidden: float = 4.0
    # pixels² of the 224 grid: a part further off than this counts less; first and last round
    part_robust: tuple[float, float] = (200.0, 8.0)
    # rounds after which masks are found again, with what the fit says of landmarks that lie far
    # from it
    remask: int = 2
    outlines: float = 6.0  # what a part's outline counts, its points together (0: none)
    # pixels of the 224 grid from the mask's outline, from which a point counts less
    outline_robust: float = 3.0
    part_points: int = 100  # points of each part


def for_few_pictures(options: StandardOptions) -> StandardOptions:
    """For footage of so few pictures that no point can be seen often enough: a photo.

    The masks stand in for what the pictures lack, so they count twice; those of eyes and lips,
    which their landmarks know better, as in a clip. They err by the part, alike in all people (a
    brow's mask is as thick as its hair; its distance stays four times a nose's, however far a head
    is bent): at 16 times, brows at three times a nose's share, every head became 28 % smaller and
    5 mm another, five standard deviations of the identity's prior.

    Masks are not found again: what the fit says of landmarks has no other picture behind it there
    (measured: 2.3 in place of 1.9).

    Chosen having seen the twelve London photos, by their outlines and by whether people are told
    apart, alike on either half of them (docs/bench.md).
    """
    return replace(
        options,
        key_rounds=-(-options.key_rounds // 2),
        parts=2 * options.parts,
        gaps=4 * options.gaps,
        remask=0,
        eyes=options.eyes / 2,
        lips=options.lips / 2,
        part_robust=(5 * options.part_robust[0], 5 * options.part_robust[1]),
        landmarks=1.0,
        lone_rounds=options.rounds,
    )
