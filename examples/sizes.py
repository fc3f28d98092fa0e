"""Formulas and numbers from Python: read a model, measure it, ask at other sizes."""

import shapeviz

report = shapeviz.measure(shapeviz.read({"enc": 6, "dec": 8}))
params, flops = report.total["params"], report.total["flops"]

print("parameters:", f"{params.value:,}")
print("at d_model = 2048:", f"{params.at(d_model=2048):,}")
print("FLOPs for one sequence of 128:", f"{flops.at(B=1, S=128):,}")

attention = report.row("encoder.layer.self_attention")
for line in attention.cells["params"].derivation:
    print(", ".join(line.labels), "=", line.formula, "=", line.substitution, "=", f"{line.total.value:,}")
