"""Measures what the autoencoder contributes to the score, on simulated pumps with modes of operation.

    python -m tests.benchmarks.bench_autoencoder [--seeds 7 11] [--steps 800] [--unknown] [--uniform] [--free] [--decoder both]

One model serves a fleet, which is switched on and off and runs at set points, with small faults inside its modes. The
score is ranked with the autoencoder at several shares, by the mean VUS-PR of the sensors that have a fault, also for pumps
that were not in the training (`--unknown`). `--uniform` gives equal attention weights, `--free` lets attention learn
to predict only, `--decoder` chooses the decoder, `--from-scratch` starts from random weights.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from stream_detector.detection.calibration import Calibration
from stream_detector.evaluation.ranking import vus_pr
from stream_detector.model.artifact import NetworkSpec
from stream_detector.model.compiled import compile_feature_errors
from stream_detector.model.error_normalization import fit_error_normalization
from stream_detector.model.input_scaling import mean_and_deviation
from stream_detector.model.linear_members import fit_linear, linear_specs
from stream_detector.model.masked_autoencoder import MaskedAutoencoder
from stream_detector.model.members import Members
from stream_detector.model.network import hidden_rows
from stream_detector.model.tiles import Tiles
from stream_detector.model.xla_forward import compile_forward
from stream_detector.model_store.validation import AUTOENCODER
from stream_detector.readings import Float32Array, Float64Array
from stream_detector.simulation.faults import Fault, apply_faults, labels
from stream_detector.simulation.fleet import FEATURES, Fleet
from stream_detector.state.running_scale import Scales
from stream_detector.tables.dataset import Dataset
from stream_detector.training.calibration_fit import fit_calibration
from stream_detector.training.data_split import gather
from stream_detector.training.network_fit import fit, sample
from stream_detector.training.preparation import Prepared, TrainingConfig, prepare
from stream_detector.training.trainer import starting_network

PUMPS, TRAINING_SECONDS, TEST_SECONDS = 12, 7_200, 5_400
KINDS = ("level_shift", "spike", "drift", "lost_correlation", "stuck", "noise")
#: Spreads: small, so that the linear members do not find all of them.
SIZES = {"level_shift": (0.15, 1.0), "spike": (0.3, 2.0), "drift": (0.3, 1.2), "noise": (0.08, 0.4)}
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
VUS_WINDOW = 64


def main() -> None:
    """Print a line per seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 11])
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--decoder", default="both")
    parser.add_argument("--uniform", action="store_true")
    parser.add_argument("--free", action="store_true")
    parser.add_argument("--from-scratch", action="store_true")
    parser.add_argument("--unknown", action="store_true", help="train on half of the pumps, and judge the others")
    arguments = parser.parse_args()
    network = NetworkSpec(decoder=arguments.decoder, uniform_attention=arguments.uniform)
    print("seed  " + "  ".join(f"share {share:g}" for share in SHARES) + "   (mean VUS-PR)")
    for seed in arguments.seeds:
        found, seconds = measure(seed, network, arguments)
        print(f"{seed:>4}  " + "  ".join(f"{value:.3f}".rjust(7) for value in found) + f"   {seconds:.0f} s", flush=True)


def measure(seed: int, network: NetworkSpec, options: argparse.Namespace) -> tuple[list[float], float]:
    """Return the mean VUS-PR by share of the autoencoder, and the time taken."""
    started = time.monotonic()
    fleet = Fleet(sensors=PUMPS, seed=seed)
    times_ms, healthy = fleet.readings(0, TRAINING_SECONDS)
    trained = range(0, PUMPS, 2) if options.unknown else range(PUMPS)
    judged = range(1, PUMPS, 2) if options.unknown else range(PUMPS)
    config = TrainingConfig(
        network=network, steps=options.steps, seed=seed, free_attention=options.free, from_scratch=options.from_scratch
    )
    prepared = prepare(_dataset(healthy[list(trained)].astype(np.float32), times_ms), config)
    run, members = _train(prepared)
    test_times, test = fleet.readings(TRAINING_SECONDS * 1000, TEST_SECONDS)
    faults = _small_faults(fleet, seed, int(test_times[0]))
    faulty = apply_faults(fleet, test_times, test, faults).astype(np.float32)
    inside = labels(fleet, test_times, faults) >= 0
    by_share: list[list[float]] = [[] for _ in SHARES]
    for pump in judged:
        if not inside[pump].any():
            continue
        surprises = _surprises(run, members, healthy[pump].astype(np.float32), faulty[pump], prepared)
        label = inside[pump][-len(surprises) :]
        for values, share in zip(by_share, SHARES, strict=True):
            weights = np.append(np.full(len(members) - 1, (1.0 - share) / (len(members) - 1)), share)
            values.append(vus_pr(label, surprises @ weights, VUS_WINDOW))
    return [float(np.mean(values)) for values in by_share], time.monotonic() - started


class _Run:
    """Members with their normalization, ready to compute errors."""

    def __init__(self, prepared: Prepared, members: Members) -> None:
        length, features = prepared.config.window_length, len(prepared.dataset.features)
        self._tiles = Tiles(length, features, 256)
        self._compiled = compile_feature_errors(members, self._tiles)
        ends = prepared.split.calibration
        errors, seen = self._tiles.run(
            self._compiled, gather(prepared.dataset.values, ends, length), prepared.scales.of(prepared.dataset.codes[ends])
        )
        self._whitening = fit_error_normalization(errors, seen, prepared.scored)

    def errors(self, values: Float32Array, location: Float32Array, deviation: Float32Array) -> Float32Array:
        """Return the log errors [N - T + 1, M] of a sensor's values [N, F]."""
        ends = np.arange(self._tiles.window_length - 1, len(values))
        scales = Scales(np.tile(location, (len(ends), 1)), np.tile(deviation, (len(ends), 1)))
        squares, seen = self._tiles.run(self._compiled, gather(values, ends, self._tiles.window_length), scales)
        return np.asarray(self._whitening.log_errors(squares, seen), np.float32)


def _train(prepared: Prepared) -> tuple[_Run, tuple[str, ...]]:
    length = prepared.config.window_length
    windows, _ = prepared.scaled_windows(sample(np.random.default_rng(0), prepared.split.fit, 8_000))
    linear = fit_linear(windows, linear_specs(length))
    network = starting_network(prepared)
    fit(network, prepared, lambda *_: None)
    autoencoder = MaskedAutoencoder(compile_forward(network), prepared.scales.fleet, prepared.scored, hidden_rows(length))
    names = (*(member.spec.name for member in linear), AUTOENCODER)
    return _Run(prepared, Members(tuple(linear), autoencoder, names, length)), names


def _surprises(
    run: _Run, members: tuple[str, ...], healthy: Float32Array, faulty: Float32Array, prepared: Prepared
) -> Float64Array:
    """Return the members' surprises [N, M] on a pump's test readings, by its own scale and its own calibration."""
    cut = int(0.7 * len(healthy))
    location, deviation = mean_and_deviation(healthy[:cut])
    calibration = _calibration(
        run.errors(healthy[cut - prepared.config.window_length + 1 :], location, deviation), members, prepared
    )
    errors = run.errors(faulty, location, deviation).astype(np.float64)
    return calibration.tails.surprise(errors - calibration.start_levels()[0])


def _calibration(errors: Float32Array, members: tuple[str, ...], prepared: Prepared) -> Calibration:
    return fit_calibration(
        errors,
        np.zeros(len(errors), np.int32),
        sensors=("pump",),
        scales=prepared.scales,
        paces=prepared.paces,
        members=members,
        weights=np.full(len(members), 1.0 / len(members)),
        quiet_readings=32,
    )


def _dataset(values: Float32Array, times_ms: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Dataset:
    pumps, steps, features = values.shape
    return Dataset(
        features=FEATURES,
        sensors=tuple(f"pump-{number}" for number in range(pumps)),
        codes=np.repeat(np.arange(pumps, dtype=np.int32), steps),
        times_ms=np.tile(times_ms, pumps),
        values=values.reshape(pumps * steps, features),
        rows=np.arange(pumps * steps, dtype=np.int64),
    )


def _small_faults(fleet: Fleet, seed: int, start_ms: int) -> list[Fault]:
    """Return four faults of each pump, one after the other, kinds in turn."""
    rng = np.random.default_rng(seed)
    faults = []
    for pump in range(fleet.sensors):
        for turn in range(4):
            kind = KINDS[(4 * pump + turn) % len(KINDS)]
            low, high = SIZES.get(kind, (1.0, 1.0))
            first = start_ms + 1000 * int(300 + 1_250 * turn + rng.integers(600))
            length = 2 if kind == "spike" else int(rng.integers(40, 110))
            size = float(np.exp(rng.uniform(np.log(low), np.log(high)))) * float(
                rng.choice([-1.0, 1.0]) if kind != "noise" else 1.0
            )
            feature = FEATURES[int(rng.integers(len(FEATURES)))]
            away_ms = round(fleet.dwell() * 1000.0 * 2.9) if kind == "lost_correlation" else 0
            faults.append(Fault(kind, pump, (feature,), first, first + 1000 * length, size, away_ms))
    return sorted(faults, key=lambda fault: fault.start_ms)


if __name__ == "__main__":
    main()
