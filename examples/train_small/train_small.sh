#!/bin/sh
# From nothing to molecular dynamics with a potential of one's own, in about five minutes on two free cores:
#   sh train_small.sh
# Needs the GRACE environment (once: pysmax grace install). Killed or begun again, it goes on where it was.
set -e
emt="--engine ase --set calculator=ase.calculators.emt:EMT"   # quick, and no reference: xtb, dft or vasp are
# 1. Configurations of maximum entropy of two elements
mpirun -np 2 lmp -partition 2x1 -in in.generate
pysmax report alloy
# 2. On their way to rest as well, all labelled by one engine
pysmax enrich relax alloy.extxyz $emt --steps 60 --keep every:20 --to ds
pysmax label alloy.extxyz $emt --to ds
pysmax label ds $emt
pysmax dataset info ds
# 3. A potential, and its errors on what it has not seen
pysmax train potential.yaml
# 4. Molecular dynamics with it
lmp -in in.md
# 5. One page
python page.py
