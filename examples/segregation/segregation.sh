#!/bin/sh
# Hybrid molecular dynamics and Monte Carlo at two Sigma7 boundaries of W-Nb-Mo-Ta-V with H, B, C, N, Si and P,
# in small and with a stand-in potential (no physics), in about half a minute:
#   sh segregation.sh
set -e
pysmax render segregation --system wnbmotav-impurities --potential stand-in --scale smoke -o run
(cd run && mpirun -np 2 lmp -in in.segregation)            # again: it goes on
pysmax watch run --once
pysmax analyse segregation run --set discard=0.25          # run/analysis/index.html
