"""Options of settling contacts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ContactOptions:
    """How contacts are settled; all numbers measured here, on ICT's and the built-in head."""

    # random combinations looked at, each with its mirror image, beside the neutral and every shape
    # alone
    poses: int = 90
    seed: int = 20220  # of those; another than any a test or a bench scores with
    neutral_rounds: int = 12  # for the neutral, which is settled first and by itself
    rounds: int = 5  # for the shapes
    lip_margin: float = 0.01  # cm: how far apart lips that touched are put in the neutral
    lip_margin_moving: float = 0.03  # cm: the same in every other pose
    margin: float = 0.03  # cm: the same for lids and eyeballs, lips and teeth
    # cm: lids deeper in the eyeball than this are not seen; lips and teeth, twice as deep
    reach: float = 0.3
    spacing: float = 0.15  # cm: between the points looked at
    # cm: teeth, gums and cavities further than this from the lips are not looked at
    near: float = 0.8
    # weight of a pose without contact, where the correction should vanish, against one with
    idle: float = 0.04
    # weight of a pose whose contact is settled already, where the correction should stay
    settled: float = 0.4
    # how much more than a combination a shape alone counts: artists look at these
    single: float = 2.0
    # of its correction a shape alone keeps each round that it has no contact: so it closes again
    # where it may
    keeps: float = 0.95
    boldness: float = 1.6  # part of a penetration undone at once
    ridge: float = 0.005  # weight of a shape's correction where the shape moves .3 cm or more
    spread: float = 0.4  # membrane against the wanted corrections
    lid_spread: float = 3.0  # the same on lids, which are thin
    through: float = 0.2  # the same from one side of a lid to the other, which must go together


DEFAULTS = ContactOptions()
