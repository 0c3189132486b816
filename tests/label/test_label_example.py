"""The example does what it says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from conftest import ROOT, environment, run_program

from pysmax.label.site import Slurm, read_site


def test_the_example(tmp_path: Path) -> None:
    folder = tmp_path / "label"
    shutil.copytree(ROOT / "examples" / "label", folder)
    done = run_program(["sh", "label.sh"], folder, 60, environment())
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = re.findall(r"(\d+) labelled, (\d+) failed, (\d+) were there", done.stdout)
    assert int(first[0]) + int(first[1]) == 10 and int(first[0]) >= 5 and first[2] == "0"
    assert second == ("0", "0", "10")
    site, sections = read_site(folder / "slurm.yaml", "slurm")
    assert sections and isinstance(site, Slurm) and site.workers_per_node == 4
