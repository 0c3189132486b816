#!/bin/sh
# A mixture from the melt to its page, and two seeds of another compared, in about a minute:
#   sh quench.sh [POTENTIAL]      potential.yaml, the folder of a GRACE model; default: stand-in, no physics
set -e
potential=${1:-stand-in}
pysmax render quench --system lava --potential "$potential" --scale smoke -o lava
(cd lava && mpirun -np 2 lmp -in in.quench > out.txt)      # again: it goes on from its newest restart file
pysmax watch lava --once
pysmax analyse quench lava --set pairs='[Si-O, Fe-Si]' --set cylinders_last=2 --set cylinders_middle=2
for seed in 1 2; do
    pysmax render quench --system mixture --potential "$potential" --scale smoke -o "seed$seed" --set seed=$seed \
        --set composition='{C: 1, Hf: 1, F: 2, Eu: 1}' --set atoms=200
    (cd "seed$seed" && mpirun -np 2 lmp -in in.quench > out.txt)
done
pysmax analyse quench seed1 seed2 -o compared
