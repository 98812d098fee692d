"""Predicts each feature from all the others: where a pump's current, pressure and flow go together, each tells the others.

Rows of D = H F values x (H rows of F features, row by row) with mean m and covariance C are taken as normally distributed. With
the precision P = (C + r I)^-1, what the H values of feature f are expected to be, given the values of all other features, is

    E[x_f | others] = x_f - (P_ff)^-1 (P (x - m))_f      (for example Lauritzen 1996, Graphical Models, eq. C.4)

where P_ff is the block [H, H] of the feature. That is the ridge regression on the other features, of all features at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.readings import Float64Array

#: In variances of a typical scaled value. The one is taken that predicts best what it was not fitted to: small where features
#: go together closely, large where there are few rows for many features.
RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
#: The rows are cut into so many pieces of neighbouring ones, of which every HELD_OUTth is held out while the ridge is chosen.
PIECES, HELD_OUT = 20, 5
#: Residuals below this count as this, in the same unit: how exactly a constant is predicted is no reason for a ridge.
LEAST_RESIDUAL = 1e-4


@dataclass(frozen=True, slots=True)
class OtherFeatures:
    """The regression of each feature on the others: expected = m + (x - m) W."""

    mean: Float64Array  # [D]
    weights: Float64Array  # [D, D]; what belongs to the same feature is 0
    ridge: float


def fit_other_features(rows: Float64Array, features: int) -> OtherFeatures:
    """Fit to rows [N, D] in order, of this many features; equal rows give an equal fit."""
    held_out = np.arange(len(rows)) * PIECES // len(rows) % HELD_OUT == HELD_OUT - 1
    ridge = _best_ridge(rows[~held_out], rows[held_out], features) if held_out.any() else RIDGES[-1]
    mean, covariance = _moments(rows)
    return OtherFeatures(mean, _weights(covariance, features, ridge), ridge)


def _best_ridge(fitted: Float64Array, held_out: Float64Array, features: int) -> float:
    """Return the ridge whose residuals on the rows held out are smallest, by the mean logarithm of the features' squares."""
    mean, covariance = _moments(fitted)
    found = []
    for ridge in RIDGES:
        centred = held_out - mean
        residuals = (centred - centred @ _weights(covariance, features, ridge)).reshape(len(held_out), -1, features)
        found.append(float(np.log(np.square(residuals).mean(axis=(0, 1)) + LEAST_RESIDUAL).mean()))
    return RIDGES[int(np.argmin(found))]


def _moments(rows: Float64Array) -> tuple[Float64Array, Float64Array]:
    mean = rows.mean(axis=0)
    centred = rows - mean
    return mean, centred.T @ centred / len(rows)


def _weights(covariance: Float64Array, features: int, ridge: float) -> Float64Array:
    """Return W [D, D] such that (x - m) W is what the other features let expect of x - m."""
    size = len(covariance)
    precision = np.linalg.inv(covariance + ridge * np.eye(size))
    within = np.zeros_like(precision)
    own = np.arange(size) % features == np.arange(features)[:, np.newaxis]
    for of_feature in own:
        block = np.ix_(of_feature, of_feature)
        within[block] = np.linalg.inv(precision[block])
    weights = np.eye(size) - precision @ within
    weights[own.T @ own] = 0.0
    return weights
