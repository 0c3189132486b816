"""The page of train_small.sh: what was generated, how well it was learned, how it moves."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("agg")
from matplotlib import pyplot as plt


def embedded(path: Path, caption: str) -> str:
    """A picture inside the page."""
    data = base64.b64encode(path.read_bytes()).decode()
    picture = f'<img src="data:image/png;base64,{data}" width="420">'
    return f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"


def draw() -> tuple[float, float]:
    """md.png; mean temperature (K) and drift of the energy (eV/atom/ps)."""
    steps, temperature, energy, _ = np.loadtxt("md.dat", skiprows=1).T
    rows = np.loadtxt("md.rdf", skiprows=4)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    left.plot(steps / 1000, 1000 * (energy - energy[0]))
    left.set(xlabel="time (ps)", ylabel="total energy - start (meV/atom)")
    right.plot(rows[:, 1], rows[:, 2])
    right.set(xlabel="distance (A)", ylabel="g(r)")
    figure.savefig("md.png", dpi=150)
    return float(temperature[len(temperature) // 2 :].mean()), float(np.polyfit(steps / 1000, energy, 1)[0])


temperature, drift = draw()
found = json.loads(Path("potential/evaluation/summary.json").read_text())
errors = {q: v for q, v in found["errors"].items() if v["n"]}
rows = "".join(
    f"<tr><th>{q}</th><td>{v['mae']:.4g}</td><td>{v['rmse']:.4g}</td><td>{found['units'][q]}</td></tr>"
    for q, v in errors.items()
)
entropy = next(Path("alloy.report").glob("*entropy*.png"))
page = f"""<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>A small potential</title>
<style>body {{ font: 16px/1.5 sans-serif; max-width: 60rem; margin: 2rem auto }}
figure {{ display: inline-block; margin: 0 1rem 1rem 0; vertical-align: top }}
td, th {{ padding: 0 1rem 0 0; text-align: left }}</style>
<h1>A potential for Cu-Pd, from nothing</h1>
<h2>Configurations of maximum entropy</h2>{embedded(entropy, "Feature entropy of the dataset.")}
<h2>Errors on {found["structures"]} structures that were held out</h2>
<table><tr><th></th><th>MAE</th><th>RMSE</th><th></th></tr>{rows}</table>
{"".join(embedded(Path(f"potential/evaluation/parity_{q}.png"), q) for q in errors)}
<h2>Molecular dynamics, 256 atoms, 1 ps at constant energy</h2>
<p>Mean temperature {temperature:.0f} K, drift of the energy {drift:.2g} eV/atom/ps.</p>
{embedded(Path("md.png"), "")}
</html>"""
Path("index.html").write_text(page)
print("wrote index.html")
