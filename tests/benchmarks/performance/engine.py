"""Measures inference alone: windows per second of the served model, of Keras' `predict`, and of the matrix products.

All of it on all processors, each in a process of its own, since TensorFlow sets up its threads once. The products are those of
the network, in the shapes of a tile and in their order, in NumPy's BLAS: no engine that multiplies these matrices is faster.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from stream_detector.readings import Float32Array
from stream_detector.settings.schema import ModelSettings
from stream_detector.state.running_scale import Scales
from tests.benchmarks.performance.figures import AT_LEAST, Figure, Places, RunSize
from tests.benchmarks.performance.models import LARGE, SMALL, trained_model
from tests.benchmarks.performance.processes import in_a_process

PART = "engine"
PREDICT_ROWS = 256
TILES_PER_CALL = 8


def measure(places: Places, size: RunSize) -> list[Figure]:
    """Measure both models; the headline figures are of 8 features and windows of 64."""
    return [figure for shape in (SMALL, LARGE) for figure in _measure_model(places.models, shape, size.choose(3.0, 10.0))]


def _measure_model(models: Path, shape: tuple[int, int], seconds: float) -> list[Figure]:
    directory = trained_model(models, *shape)
    rates = {name: in_a_process(rate, directory, seconds) for name, rate in RATES.items()}
    label = f"window {shape[0]}, features {shape[1]}"
    ratios = (
        ("the network over predict", rates[NETWORK] / rates[PREDICT], "inference_over_predict", 10.0),
        ("the network, share of its matrix products", rates[NETWORK] / rates[PRODUCTS], "inference_share_of_gemm_bound", 0.6),
    )
    return [
        *(Figure(PART, f"{name}, {label}", rate, "windows/s") for name, rate in rates.items()),
        *(
            Figure(PART, f"{name}, {label}", value, "ratio", key if shape == LARGE else None, (AT_LEAST, goal))
            for name, value, key, goal in ratios
        ),
    ]


def predict_rate(directory: Path, seconds: float) -> float:
    """Return windows/s of `predict` on the network alone, in batches of 256."""
    from stream_detector.model.network import build_network, load_weights
    from stream_detector.model_store.model_directory import load_artifact

    artifact = load_artifact(directory)
    steps, features = artifact.spec.window_length, len(artifact.spec.features)
    network = build_network(steps, features, artifact.network)
    load_weights(network, artifact.weights)
    inputs = _network_inputs(TILES_PER_CALL * PREDICT_ROWS, steps, features)
    return _rate(lambda: network.predict(inputs, batch_size=PREDICT_ROWS, verbose=0), len(inputs[0]), seconds)


def network_rate(directory: Path, seconds: float) -> float:
    """Return windows/s of the served network alone, tiles in threads."""
    import tensorflow as tf

    from stream_detector.adapters.keras_scorer import usual_threads
    from stream_detector.model.network import build_network, load_weights
    from stream_detector.model.xla_forward import compile_forward
    from stream_detector.model_store.model_directory import load_artifact

    tf.config.threading.set_intra_op_parallelism_threads(1)
    artifact = load_artifact(directory)
    steps, features = artifact.spec.window_length, len(artifact.spec.features)
    network = build_network(steps, features, artifact.network)
    load_weights(network, artifact.weights)
    forward, rows = compile_forward(network), _tile_rows(steps, features)
    tiles = [_network_inputs(rows, steps, features) for _ in range(TILES_PER_CALL)]
    with ThreadPoolExecutor(usual_threads()) as pool:
        return _rate(lambda: list(pool.map(lambda tile: forward(*tile)[0].numpy(), tiles)), rows * len(tiles), seconds)


def score_rate(directory: Path, seconds: float) -> float:
    """Return windows/s of the complete score, as the service computes it."""
    from stream_detector.adapters.keras_scorer import KerasScorer, usual_threads

    scorer = KerasScorer(directory, ModelSettings().tile_rows, usual_threads())
    steps, features = scorer.spec.window_length, len(scorer.spec.features)
    count = TILES_PER_CALL * _tile_rows(steps, features)
    windows = np.random.default_rng(0).normal(size=(count, steps, features)).astype(np.float32)
    scales = Scales(np.zeros((count, features), np.float32), np.ones((count, features), np.float32))
    return _rate(lambda: scorer.errors(windows, scales), count, seconds)


def products_rate(directory: Path, seconds: float) -> float:
    """Return windows/s of the network's matrix products alone, one BLAS thread in each of as many threads."""
    from stream_detector.adapters.keras_scorer import usual_threads
    from stream_detector.model_store.model_directory import load_artifact

    artifact = load_artifact(directory)
    steps, features = artifact.spec.window_length, len(artifact.spec.features)
    rows = _tile_rows(steps, features)
    chains = [products(artifact.weights, steps, features, rows) for _ in range(usual_threads())]
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(len(chains)) as pool:
        return _rate(lambda: list(pool.map(lambda chain: chain(), chains)), rows * len(chains), seconds)


def products(weights: Mapping[str, Float32Array], steps: int, features: int, rows: int) -> Callable[[], None]:
    """Return a function that computes once the matrix products of the network for a tile, and nothing else."""
    from stream_detector.model.network import decoded_rows

    encoder, decoder = (weights[f"{name}/lstm_cell/kernel"] for name in ("encoder", "decoder"))
    units, decoded = len(weights["encoder/lstm_cell/recurrent_kernel"]), decoded_rows(steps)
    changing, narrow = 2 * features, weights["narrow/kernel"].shape[1]
    once = [(rows, encoder[changing:]), (rows * steps, weights["attention/W"]), (rows * steps, weights["attention/v"])]
    once += [(rows * decoded, weights["narrow/kernel"]), (rows, decoder[narrow:]), (rows * decoded, weights["head/kernel"])]
    at_each_step = [(steps, encoder[:changing], "encoder"), (decoded, decoder[:narrow], "decoder")]
    rng = np.random.default_rng(0)
    pairs: list[tuple[Float32Array, Float32Array, int]] = [
        (rng.normal(size=(count, len(matrix))).astype(np.float32), matrix, 1) for count, matrix in once
    ]
    for times, matrix, name in at_each_step:
        for factor in (matrix, weights[f"{name}/lstm_cell/recurrent_kernel"]):
            pairs.append((rng.normal(size=(rows, len(factor))).astype(np.float32), factor, times))
    assert units == len(pairs[-1][1])
    results = [np.empty((len(left), right.shape[1]), np.float32) for left, right, _ in pairs]

    def multiply() -> None:
        for (left, right, times), result in zip(pairs, results, strict=True):
            for _ in range(times):
                np.matmul(left, right, out=result)

    return multiply


def _tile_rows(steps: int, features: int) -> int:
    from stream_detector.model.tiles import Tiles

    return Tiles(steps, features, ModelSettings().tile_rows).rows


def _network_inputs(rows: int, steps: int, features: int) -> list[Float32Array]:
    values = np.random.default_rng(0).normal(size=(rows, steps, features)).astype(np.float32)
    return [values, np.ones_like(values), np.ones((rows, steps), np.float32), np.zeros((rows, 2 * features), np.float32)]


def _rate(call: Callable[[], object], windows: int, seconds: float) -> float:
    """Return windows/s of the fastest tenth of the calls in this time, because other load on the machine comes and goes."""
    call()
    taken: list[float] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(taken) < 10:
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return windows / float(np.percentile(taken, 10))


PREDICT, NETWORK, SCORE, PRODUCTS = "Keras predict", "the served network", "the whole score", "its matrix products alone"
RATES: dict[str, Callable[[Path, float], float]] = {
    PREDICT: predict_rate,
    NETWORK: network_rate,
    SCORE: score_rate,
    PRODUCTS: products_rate,
}
