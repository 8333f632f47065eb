"""The sample zone table: the shape of TLC's taxi_zone_lookup.csv, with made-up zone names."""

from __future__ import annotations

import numpy as np

UNKNOWN, OUTSIDE = 264, 265
"""TLC's two special zones: "Unknown", and "Outside of NYC" whose borough is the string "N/A"."""

_NEWARK, _JFK, _LA_GUARDIA = 1, 132, 138

# How many zones TLC's table has in each borough, without the airports and the special zones.
_ORDINARY = {"Manhattan": 69, "Queens": 67, "Brooklyn": 61, "Bronx": 43, "Staten Island": 20}
_SPECIAL = {
    _NEWARK: ("EWR", "Newark Airport", "EWR"),
    _JFK: ("Queens", "JFK Airport", "Airports"),
    _LA_GUARDIA: ("Queens", "LaGuardia Airport", "Airports"),
    UNKNOWN: ("Unknown", "N/A", "N/A"),
    OUTSIDE: ("N/A", "Outside of NYC", "N/A"),
}
# Share of the trips that begin in a borough, roughly as TLC's months have it.
_TRIPS = {"Manhattan": 0.885, "Queens": 0.02, "Brooklyn": 0.012, "Bronx": 0.002}
_TRIPS |= {"Staten Island": 0.0003}
_SPECIAL_TRIPS = {_NEWARK: 0.0004, _JFK: 0.045, _LA_GUARDIA: 0.03, UNKNOWN: 0.004, OUTSIDE: 0.0015}

Zone = tuple[int, str, str, str]


def zones() -> list[Zone]:
    """The 265 rows: LocationID, Borough, Zone, service_zone; by LocationID."""
    boroughs = [name for name, count in _ORDINARY.items() for _ in range(count)]
    order = np.random.Generator(np.random.PCG64(265)).permutation(len(boroughs))
    ordinary = iter([boroughs[at] for at in order])
    numbers = dict.fromkeys(_ORDINARY, 0)
    rows: list[Zone] = []
    for zone in range(1, OUTSIDE + 1):
        if zone in _SPECIAL:
            rows.append((zone, *_SPECIAL[zone]))
            continue
        borough = next(ordinary)
        numbers[borough] += 1
        service = "Yellow Zone" if borough == "Manhattan" else "Boro Zone"
        rows.append((zone, borough, f"{borough} {numbers[borough]}", service))
    return rows


def zones_csv() -> bytes:
    """The table as TLC publishes it: a header, strings in quotes, numbers without."""
    lines = ['"LocationID","Borough","Zone","service_zone"']
    lines += [
        f'{zone},"{borough}","{name}","{service}"' for zone, borough, name, service in zones()
    ]
    return ("\n".join(lines) + "\n").encode()


def pickup_weights() -> np.ndarray:
    """Relative number of trips that begin in each zone: float64 [265], for LocationID 1 to 265."""
    weights = np.empty(OUTSIDE)
    for zone, borough, name, _service in zones():
        if zone in _SPECIAL:
            weights[zone - 1] = _SPECIAL_TRIPS[zone]
            continue
        # Within a borough the nth zone has 1/n of the first one's trips.
        rank = int(name.rsplit(" ", 1)[1])
        harmonic = sum(1 / n for n in range(1, _ORDINARY[borough] + 1))
        weights[zone - 1] = _TRIPS[borough] / rank / harmonic
    return weights
