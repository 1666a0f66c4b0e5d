"""The observer writes what happens into the run's folder, whatever model runs."""

from kelly_core.train.run_folder import Run

from kelly_chroma_key import diary


def test_a_run_leaves_a_line_per_epoch(tmp_path):
    run = Run("a-run", tmp_path, "emotionrecognizer")
    diary.kelly_run_started(run, {"epochs": 2, "seed": 7})
    for epoch in (1, 2):
        diary.kelly_epoch_finished(run, epoch, {"epoch": epoch, "val_loss": 1 / epoch})
    diary.kelly_run_finished(run, "finished")
    lines = (tmp_path / "diary.md").read_text().splitlines()
    assert lines[0] == "# a-run"
    assert "emotionrecognizer: 2 epochs, seed 7" in lines
    assert [line for line in lines if line.startswith("- ")] == [
        "- epoch 1: val_loss 1",
        "- epoch 2: val_loss 0.5",
    ]
    assert lines[-1] == "finished"
