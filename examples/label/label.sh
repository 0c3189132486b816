# Generate ten small cells, label them by xTB on two cores, and once more: nothing is left to do.
set -e
lmp -in in.label
pysmax label cells.extxyz --engine xtb --config xtb.yaml
pysmax label cells.extxyz --engine xtb --config xtb.yaml
