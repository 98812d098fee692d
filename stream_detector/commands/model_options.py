"""The options of `train` that describe a model, and what they and the settings say of its training."""

from __future__ import annotations

import argparse
from pathlib import Path

from stream_detector.commands.argument_types import count, share
from stream_detector.commands.train_input import follow_setting, train_parsing
from stream_detector.model.artifact import NetworkSpec
from stream_detector.settings.schema import Settings
from stream_detector.training.inspection import Inspection
from stream_detector.training.preparation import TrainingConfig
from stream_detector.training.starting_weights import starts_from_built_in
from stream_detector.values import MissingValues


def add_model_options(model: argparse._ArgumentGroup) -> None:
    """Declare the options of the model."""
    model.add_argument("--output", type=Path, required=True, metavar="DIR", help="model directory")
    model.add_argument(
        "--replace",
        action="store_true",
        help="replace a model there even if the new one is worse on the same data or has other features",
    )
    model.add_argument("--name", default="attention-autoencoder", help="model name in events")
    model.add_argument(
        "--window-length", type=count, metavar="N", help="readings per window (default: LEARNING__WINDOW_LENGTH)"
    )
    model.add_argument(
        "--coupled-features",
        action="store_true",
        help="compare each feature also with what the others say of it: finds smaller lasting faults where features go "
        "together, as the current, pressure and flow of a pump do (default: LEARNING__COUPLED_FEATURES)",
    )
    model.add_argument("--units", type=count, default=64, metavar="N", help="size of the LSTM layers")
    model.add_argument("--dropout", type=share, default=0.0, metavar="SHARE", help="dropout after encoder and decoder")
    model.add_argument(
        "--decoder",
        choices=("both", "context", "sequence"),
        default="both",
        help="decode from one vector per window, from weighted steps, or from both",
    )
    model.add_argument(
        "--bottleneck",
        type=count,
        metavar="N",
        help="values per weighted step that reach the decoder (default: half the units)",
    )
    model.add_argument(
        "--attention-units", type=count, default=32, metavar="N", help="size of additive attention; see also --attention-bias"
    )
    model.add_argument(
        "--attention-bias", action="store_true", help="attention with a bias per step, instead of the additive form"
    )
    model.add_argument(
        "--uniform-attention", action="store_true", help="give all steps the same weight, to measure what attention contributes"
    )
    model.add_argument(
        "--free-attention",
        action="store_true",
        help="let attention learn to predict only, and not how far the expectation moves without a reading, to compare",
    )
    model.add_argument(
        "--from-scratch",
        action="store_true",
        help="start the network from random weights, and not from the built-in ones, with which the fit takes fewer steps",
    )


def follow_settings(arguments: argparse.Namespace, settings: Settings) -> None:
    """Take from the settings what the command line leaves open: the length of a window, coupled features, the condition."""
    arguments.window_length = arguments.window_length or settings.learning.window_length
    arguments.coupled_features = arguments.coupled_features or settings.learning.coupled_features
    follow_setting(arguments, settings.learning.only_while)


def training_config(arguments: argparse.Namespace, inspection: Inspection) -> TrainingConfig:
    """Return what the options say of a training, and what was found in its data."""
    network = NetworkSpec(
        units=arguments.units,
        dropout=arguments.dropout,
        decoder=arguments.decoder,
        bottleneck=arguments.bottleneck,
        attention_units=None if arguments.attention_bias else arguments.attention_units,
        uniform_attention=arguments.uniform_attention,
    )
    return TrainingConfig(
        name=arguments.name,
        window_length=arguments.window_length,
        network=network,
        seed=arguments.seed,
        steps=arguments.steps,
        coupled_features=arguments.coupled_features,
        free_attention=arguments.free_attention,
        from_scratch=arguments.from_scratch,
        context_features=arguments.context_columns,
        also_context=inspection.context,
        counters=inspection.counters,
        missing_values=train_parsing(arguments).missing | MissingValues.of(inspection.codes),
        only_while=arguments.only_while.text if arguments.only_while else "",
    )


def describe_start(config: TrainingConfig) -> str:
    """Say from which weights the network starts."""
    if starts_from_built_in(config):
        return "start: the network begins with the built-in weights, which were fitted to random series"
    reason = "as you asked" if config.from_scratch else "the built-in ones fit only a window and a network of the default shape"
    return f"start: the network begins with random weights: {reason}"
