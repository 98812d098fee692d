"""What `train` says to type next, by what became of the model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stream_detector.commands.train_next import Outcome, next_answer
from stream_detector.training.extent import Extent

DAYS, HOURS = Extent(259_200.0, 4_320, 60.0, 64), Extent(36_960.0, 616, 60.0, 64)
GOOD = Outcome(Path("model"), [Path("history.csv")], DAYS, is_promoted=True)
REJECTED = replace(GOOD, directory=Path("model.rejected"), stays=Path("model"))


def in_a_line(text: str) -> str:
    return " ".join(text.split())


def test_a_model_that_may_run_is_looked_at_measured_and_run() -> None:
    told = next_answer(GOOD)

    assert told.startswith("3. What next? See what it says about readings that it was not trained on")
    assert "stream-detector score --model model --input FILE.csv" in told
    assert "--baseline-training history.csv" in told
    assert told.splitlines()[-1] == "   STREAM_DETECTOR_MODEL__DIRECTORY=model stream-detector run"
    assert "--baseline-training" not in next_answer(replace(GOOD, inputs=[]))
    assert max(map(len, told.splitlines())) <= 80


def test_one_that_is_not_promoted_is_measured_first_and_one_of_hours_trained_again() -> None:
    assert "It is not promoted, so measure it before you run it" in in_a_line(next_answer(replace(GOOD, is_promoted=False)))
    assert "Try it, and train again as soon as you have 24 h of history." in in_a_line(next_answer(replace(GOOD, extent=HOURS)))


def test_one_that_replaced_another_is_taken_by_the_service_at_a_restart() -> None:
    told = in_a_line(next_answer(replace(GOOD, previous=Path("model.previous"))))

    assert "A service that runs with model goes on with the model before until it is restarted. See what" in told
    assert "SIGHUP" not in told


def test_after_a_rejection_the_model_there_goes_on_and_nothing_says_to_run_the_new_one() -> None:
    told = in_a_line(next_answer(REJECTED))

    assert told.startswith("3. What next? Keep running the model in model; nothing has to be restarted.")
    assert "stream-detector score --model model --input history.csv --output scored.csv" in told
    assert "look at the history that this one was trained on: a fault in it" in told
    odd = in_a_line(next_answer(replace(REJECTED, has_oddities=True)))
    assert "trained on, beginning with the hours named under 1: a fault in it" in odd
    assert told.endswith("the same command with --replace takes it all the same.")
    assert "model.rejected" not in told
    assert "file by file" in in_a_line(next_answer(replace(REJECTED, inputs=[Path("a.csv"), Path("b.csv")])))


def test_after_a_rejection_for_a_short_history_a_longer_one_is_asked_for() -> None:
    told = in_a_line(next_answer(replace(REJECTED, extent=HOURS, is_too_short=True, inputs=[])))

    assert "For a model that may take its place, train on 24 h or more" in told
    assert "score" not in told


def test_the_commands_have_the_options_with_which_the_files_were_read() -> None:
    form = ("--sensor-from", "{sensor} {feature}", "--every", "10s")
    said = " --sensor-from '{sensor} {feature}' --every 10s"

    told = next_answer(replace(GOOD, form=form))

    assert f"score --model model --input FILE.csv --output scored.csv{said}\n" in told
    assert f"--output report --baseline-training history.csv{said}\n" in told
    assert f"--input history.csv --output scored.csv{said}\n" in next_answer(replace(REJECTED, form=form))
