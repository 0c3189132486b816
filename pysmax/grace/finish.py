"""A training followed by its evaluation on the held-out set."""

from __future__ import annotations

from pathlib import Path

from pysmax.grace.config import Config
from pysmax.grace.data import FILES
from pysmax.grace.evaluate import evaluate
from pysmax.grace.train import Say, train


def train_and_test(config: Config, folder: Path, say: Say = print) -> None:
    """Train (see train), then write RUN/evaluation unless it is there."""
    model = train(config, folder, say)
    held_out = folder / "data" / FILES["held_out"]
    if not model.note["data"]["parts"].get("held_out"):
        say("no structure is held out: nothing to test on")
        return
    if (folder / "evaluation" / "summary.json").exists():
        say(f"{folder / 'evaluation'} is there")
        return
    for line in evaluate(model, [held_out], folder / "evaluation", uq=config.uq).lines():
        say(line)
