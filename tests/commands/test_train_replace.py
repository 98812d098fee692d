"""What becomes of a model that is already in the output directory."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stream_detector.cli import main
from stream_detector.commands.train_output import describe_model
from stream_detector.commands.train_replace import (
    Place,
    check_features,
    describe_comparison,
    describe_decision,
    describe_doubt,
    describe_short,
    in_its_order,
    look_at,
)
from stream_detector.errors import ModelError
from stream_detector.model.artifact import Artifact
from stream_detector.model_store.model_directory import load_artifact, save_artifact
from stream_detector.training.comparison import Comparison
from stream_detector.training.extent import Extent
from stream_detector.training.own_figures import OwnFigures
from tests.commands.test_train import SMALL, write_csv
from tests.fixtures_model import tiny_dataset
from tests.training.test_comparison import GOOD, SPOILT, rating

BETTER = Comparison(0.1, 3.6, rating(60), rating(80))
WORSE = Comparison(0.1, 3.6, rating(60), rating(40))


def in_a_line(text: str | None) -> str:
    return " ".join((text or "").split())


def test_a_worse_model_is_rejected_with_the_command_that_takes_it_anyway(tmp_path: Path, tiny_model_directory: Path) -> None:
    shutil.copytree(tiny_model_directory, tmp_path / "model")
    place = look_at(tmp_path / "model")

    assert in_a_line(describe_decision(place, WORSE, replace=False)) == (
        f"REJECTED: this model finds fewer faults (40 of 100 against 60). The model in {tmp_path}/model stays, this one is in "
        f"{tmp_path}/model.rejected."
    )
    assert in_a_line(describe_decision(place, WORSE, replace=True)).startswith("REPLACED: although this one finds fewer faults")
    assert in_a_line(describe_decision(place, BETTER, replace=False)).startswith("REPLACED: this one is not worse. The model")


def test_the_table_shows_both_models_and_fits_the_terminal() -> None:
    told = describe_comparison(WORSE).splitlines()

    assert told[-3].split() == ["faults", "alarmed", "in", "time,", "of", "100", "60", "40"]
    assert told[-2].split()[-3:] == ["sensor-days", "0", "0"]
    assert told[-1].split()[-2:] == ["0.900", "0.900"]
    assert max(map(len, told)) <= 78


DAYS, HOURS = Extent(259_200.0, 4_320, 60.0, 64), Extent(36_960.0, 616, 60.0, 64)


def test_a_model_of_too_little_history_is_rejected_however_much_it_finds_and_the_table_says_how_much_each_has(
    tmp_path: Path, tiny_model_directory: Path
) -> None:
    shutil.copytree(tiny_model_directory, tmp_path / "model")
    comparison = replace(BETTER, there=replace(rating(60), extent=DAYS), new=replace(rating(80), extent=HOURS))
    place = look_at(tmp_path / "model")

    assert in_a_line(describe_decision(place, comparison, replace=False)).startswith(
        "REJECTED: this model is trained on too little history: 10.3 h (enough is 24 h; the model there has 3 days). The model"
    )
    assert in_a_line(describe_decision(place, comparison, replace=True)).startswith("REPLACED: although this one is trained on")
    assert describe_comparison(comparison).splitlines()[-4].split() == (
        ["history", "(enough", "is", "24", "h)", "3", "days", "10.3", "h"]
    )
    unknown = describe_comparison(replace(comparison, there=rating(60)))
    assert unknown.splitlines()[-4].split()[-3:] == ["unknown", "10.3", "h"]


def test_a_model_that_will_be_too_short_is_said_so_before_the_training(tiny_artifact: Artifact) -> None:
    known = {"verdict": {"history": {"span_seconds": 259_200.0, "readings": 259_200}}}
    place = Place(Path("model"), replace(tiny_artifact, report=known), None)

    assert describe_short(place, HOURS) == (
        "The model in model was trained on 3 days, so this one will not take its place, unless you add --replace: it goes to "
        "model.rejected."
    )
    assert describe_short(place, DAYS) is None
    assert describe_short(replace(place, there=None), HOURS) is None


def test_the_table_has_what_each_model_showed_in_its_own_training() -> None:
    told = describe_comparison(
        Comparison(0.1, 4.6, replace(rating(62), own=GOOD), replace(rating(80), own=SPOILT))
    ).splitlines()

    assert told[-2] == "  in its own training: faults alarmed               100 of 156   80 of 156"
    assert told[-1] == "  in its own training: faulty told from healthy          0.870       0.550"


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (SPOILT, "It is clearly weaker, so look at the history first: values multiplied"),
        (GOOD, "no weaker by its own training than that one was by its own, as after a change. If nothing has changed"),
    ],
)
def test_a_model_there_that_alarms_too_often_is_said_to_mean_a_changed_plant_or_a_bad_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: OwnFigures, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    there = replace(rating(62, false_alarms=14), own=GOOD, alarmed_share=0.31)
    comparison, place = Comparison(0.1, 4.6, there, replace(rating(80), own=own)), look_at(Path("model"))

    told = describe_doubt(place, comparison)

    assert in_a_line(told).startswith(
        "MIND: on healthy readings of the new history the model there raises 14 false alarms in 4.6 sensor-days, where its "
        "budget allows 0.46, and is in alarm 31% of the time. Either the plant has changed, or something is wrong with this "
        "history."
    )
    assert expected in in_a_line(told)
    assert max(map(len, (told or "").splitlines())) <= 78
    assert describe_doubt(place, BETTER) is None


def test_a_model_that_is_removed_soon_is_described_without_its_directory(tiny_artifact: Artifact) -> None:
    report = {"seconds": 3.0, "data": {"context_features": []}}
    artifact, directory = replace(tiny_artifact, report=report), Path("/tmp/demo-x/model")

    stays, goes = describe_model(artifact, directory), describe_model(artifact, directory, stays=False)

    assert stays.count("/tmp/demo-x/model") == 3
    assert "demo-x" not in goes
    assert goes.splitlines()[0] == (f"model: {artifact.spec.name} (in a temporary directory, version {artifact.spec.version})")


def test_where_there_was_no_model_nothing_is_said(tmp_path: Path) -> None:
    assert describe_decision(look_at(tmp_path / "model"), None, replace=False) is None


def test_a_model_with_other_features_is_not_replaced_unasked(tmp_path: Path, tiny_model_directory: Path) -> None:
    shutil.copytree(tiny_model_directory, tmp_path / "model")
    place = look_at(tmp_path / "model")

    with pytest.raises(ModelError, match=r"the data have flow more and lack pressure.*add --replace.*another --output"):
        check_features(place, ("temperature", "flow"), replace=False)
    check_features(place, ("temperature", "flow"), replace=True)
    check_features(place, ("pressure", "temperature"), replace=False)


def test_features_in_another_order_take_that_of_the_model_there(tmp_path: Path, tiny_model_directory: Path) -> None:
    shutil.copytree(tiny_model_directory, tmp_path / "model")
    dataset = tiny_dataset()
    turned = dataset.select(("pressure", "temperature"))

    found = in_its_order(look_at(tmp_path / "model"), turned)

    assert found.features == ("temperature", "pressure")
    assert (found.values == dataset.values).all()
    assert in_its_order(look_at(tmp_path / "absent"), turned) is turned


def test_a_model_that_cannot_be_read_is_replaced_and_that_is_said(tmp_path: Path, tiny_model_directory: Path) -> None:
    shutil.copytree(tiny_model_directory, tmp_path / "model")
    (tmp_path / "model" / "weights.safetensors").write_bytes(b"damaged")
    place = look_at(tmp_path / "model")

    assert place.there is None
    told = in_a_line(describe_decision(place, None, replace=False))
    assert told.startswith("REPLACED without a comparison: ")
    assert "weights.safetensors has changed" in told


@pytest.mark.parametrize("beside", ["model.previous", "model.rejected"])
def test_a_place_beside_it_that_holds_something_else_is_refused_before_training(tmp_path: Path, beside: str) -> None:
    (tmp_path / beside).mkdir()
    (tmp_path / beside / "cat.jpg").write_bytes(b"")

    with pytest.raises(ModelError, match=f"{beside}: holds something other than a model"):
        look_at(tmp_path / "model")


def test_a_training_that_is_worse_leaves_the_model_there_and_ends_with_code_3(
    tmp_path: Path, tiny_artifact: Artifact, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "model"
    save_artifact(tiny_artifact, output, b"")
    monkeypatch.setattr("stream_detector.training.comparison.compare", lambda *_: WORSE)
    before = load_artifact(output).spec.version
    source = write_csv(tmp_path / "readings.csv", 100)
    command = ["train", "--input", str(source), "--output", str(output), *map(str, SMALL)]

    assert main(command) == 3

    told = in_a_line(capsys.readouterr().out)
    assert "REJECTED: this model finds fewer faults (40 of 100 against 60)" in told
    assert told.index("REJECTED") < told.index("3. What next? Keep running the model in")
    assert f"score --model {output} --input {source}" in told
    assert f"MODEL__DIRECTORY={output}" not in told
    assert "the same command with --replace takes it all the same." in told
    assert load_artifact(output).spec.version == before
    rejected = load_artifact(tmp_path / "model.rejected").spec.version
    assert rejected != before

    assert main([*command, "--replace"]) == 0

    assert load_artifact(output).spec.version == rejected
    assert load_artifact(tmp_path / "model.previous").spec.version == before


def test_a_training_on_a_spoilt_history_is_rejected_by_what_it_finds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is substituted: of the spoilt history, the part that is fitted to holds noise in place of the process."""
    good, output = write_csv(tmp_path / "good.csv", 800), tmp_path / "model"
    command = ["train", "--output", str(output), *map(str, SMALL), "--input"]
    assert main([*command, str(good)]) == 0
    before = load_artifact(output).spec.version
    header, *rows = good.read_text().splitlines()
    random = np.random.default_rng(4)
    for at in range(560):  # seven tenths
        time, *_ = rows[at].split(",")
        rows[at] = f"{time},{random.normal(60.0, 40.0):.3f},{random.normal(3.0, 8.0):.3f}"
    (tmp_path / "spoilt.csv").write_text("\n".join([header, *rows]) + "\n")
    capsys.readouterr()

    assert main([*command, str(tmp_path / "spoilt.csv")]) == 3

    told = in_a_line(capsys.readouterr().out)
    assert "REJECTED: this model " in told
    assert "faults alarmed in time" in told
    assert load_artifact(output).spec.version == before
    assert load_artifact(tmp_path / "model.rejected").spec.version != before


def test_a_training_on_a_fraction_of_the_history_does_not_replace_the_model_of_all_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is substituted: the figures of the short one may be as good."""
    long, output = write_csv(tmp_path / "long.csv", 2_000), tmp_path / "model"
    command = ["train", "--output", str(output), *map(str, SMALL), "--input"]
    assert main([*command, str(long)]) == 0
    before = load_artifact(output).spec.version
    rows = long.read_text().splitlines()
    (tmp_path / "newest.csv").write_text("\n".join([rows[0], *rows[-110:]]) + "\n")
    capsys.readouterr()

    assert main([*command, str(tmp_path / "newest.csv")]) == 3

    told = in_a_line(capsys.readouterr().out)
    assert "so this one will not take its place, unless you add --replace" in told
    assert "REJECTED: this model is trained on too little history" in told
    assert "For a model that may take its place, train on" in told
    assert load_artifact(output).spec.version == before
