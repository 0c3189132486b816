"""Write a trained GRACE model of one or two layers as plain arrays (docs/grace_native.md).

Runs under the Python that has tensorpotential, as a program of its own:

    python export_native.py seed/1/model.yaml seed/1/checkpoints/checkpoint.best_test_loss native.npz

Nothing here is imported by pysmax. All normalising factors are multiplied into the weights, in float64.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import numpy as np

FORMAT = "pysmax-grace-native"
SILU_NORM = 1.6759  # the library's default activation is silu times this


class Unsupported(Exception):
    """The model holds something that the native evaluator does not compute."""


def array(x: Any, dtype: Any = np.float64) -> np.ndarray:
    return np.array(x.numpy() if hasattr(x, "numpy") else x).astype(dtype)


def indices(x: Any) -> np.ndarray:
    return array(x, np.int64).reshape(-1)


def require(condition: bool, what: str) -> None:
    if not condition:
        raise Unsupported(what)


# ---- instructions, each to arrays ----


def radial_basis(kind: str, basis: Any, n: int) -> dict[str, Any]:
    if kind == "RadialBasis":
        function = basis.basis_function
        require(basis.basis_type == "Cheb", f"radial basis {basis.basis_type}, expected Cheb")
        require(function.kind == 1 and not function.reversed, "Chebyshev basis of another kind")
        require(not function.normalized, "a normalised radial basis")
        cutoff, power = np.full((n, n), float(array(function.rcut))), function.pcut
    else:
        require(basis.basis_type == "Cheb", f"radial basis {basis.basis_type}, expected Cheb")
        cutoff, power = array(basis.bond_cutoff_map).reshape(n, n), basis.cutoff_function_param
    require(float(power).is_integer(), f"cutoff function of order {power}, expected an integer")
    return {"cutoff": cutoff, "cutoff_power": np.int64(power), "basis_size": np.int64(basis.nfunc)}


def radial_functions(radial: Any) -> dict[str, Any]:
    require(radial.chem_embedding is None, "radial functions with a chemical embedding")
    require(set(radial.activation) == {"silu"}, f"radial activation {radial.activation}, expected silu")
    out = {}
    for i, layer in enumerate(radial.layers):
        require(not layer.use_bias, "radial functions with a bias")
        out[f"radial.{i}"] = array(layer.w) * float(array(layer.norm))
    last = out.pop(f"radial.{len(radial.layers) - 1}")
    # [hidden, (n, l)] -> [l, hidden, n]
    out["radial.out"] = last.reshape(len(last), radial.n_rad_max, radial.lmax + 1).transpose(2, 0, 1)
    out["radial_layers"] = np.int64(len(radial.layers) - 1)
    out["lmax"] = np.int64(radial.lmax)
    return out


def single_particle(basis: Any, n: int) -> dict[str, Any]:
    require(
        basis.sum_neighbors and not basis.indicator_l_depend and not basis.lm_first, "basis A of another kind"
    )
    require(basis.indicator is not None and basis.slice_angular is None, "basis A without an indicator")
    require(not basis.indicator_is_per_atom and not basis.lin_transform.use_bias, "basis A of another kind")
    transform = array(basis.lin_transform.w) * float(array(basis.lin_transform.norm))
    return {
        "indicator": array(basis.indicator.w) @ transform,
        "inverse_neighbours": np.broadcast_to(array(basis.inv_avg_n_neigh).reshape(-1), (n,)).copy(),
    }


def fully_connected(fc: Any) -> dict[str, Any]:
    require(
        fc.left_coefs and not any(fc.is_central_atom_type_dependent), f"{fc.name} depends on the central atom"
    )
    functions = len(fc.coupling_meta_data)
    norm = array(fc.norm_out_factor).reshape(-1) if fc.norm_out else np.ones(functions)
    group, to, pair = indices(fc.w_tile_left), indices(fc.collect_to), indices(fc.w_tile_right)
    group_norm, pair_norm = np.ones(fc.w_shape_left), np.ones(fc.w_shape_right)
    group_norm[group] = norm
    pair_norm[pair] = norm[to]
    return {  # weights [group, n_in, n_out]
        f"{fc.name}.left": array(fc.w_left).transpose(2, 1, 0)
        * (group_norm * float(array(fc.norm_left)))[:, None, None],
        f"{fc.name}.right": array(fc.w_right).transpose(2, 1, 0)
        * (pair_norm * float(array(fc.norm_right)))[:, None, None],
        f"{fc.name}.group": group,
        f"{fc.name}.to": to,
        f"{fc.name}.from": indices(fc.collect_from),
        f"{fc.name}.pair": pair,
    }


def product(p: Any) -> dict[str, Any]:
    require(not p.lm_first, f"{p.name} of another layout")
    return {
        f"{p.name}.left": indices(p.left_ind),
        f"{p.name}.right": indices(p.right_ind),
        f"{p.name}.out": indices(p.m_sum_ind),
        f"{p.name}.cg": array(p.cg).reshape(-1),
    }


def coupling(c: Any) -> dict[str, Any]:
    """Harmonics of a bond times what the neighbour says."""
    require(c.sum_neighbors and not c.lm_first and c.slice_angular is None, f"{c.name} of another layout")
    require(c.chemical_embedding is None, f"{c.name} with a chemical embedding")
    pairs = array(c.lr_inds, np.int64)
    return {
        f"{c.name}.left": pairs[:, 0].copy(),
        f"{c.name}.right": pairs[:, 1].copy(),
        f"{c.name}.out": indices(c.m_sum_ind),
        f"{c.name}.cg": array(c.cg).reshape(-1),
    }


def collection(r: Any) -> dict[str, Any]:
    """Functions of several tensors, mixed and added by l, m and parity."""
    require(not r.lm_first and r.init_collection == "zeros", f"{r.name} of another layout")
    require(not r.only_invar or len(r.coupling_meta_data) == 1, f"{r.name} adds scalars of both parities")
    norm = array(r.norm_map).reshape(-1) if r.out_norm else np.ones(len(r.coupling_meta_data))
    out: dict[str, Any] = {f"{r.name}.functions": np.int64(len(norm))}
    for name, collected in r.collector.items():
        weight = array(getattr(r, f"reducing_{name}")) * float(array(getattr(r, f"norm_{name}")))
        if not r.is_central_atom_type_dependent:
            weight = weight[None]
        pair, to = indices(collected["w_l_tile"]), indices(collected["total_sum_ind"])
        weight = weight.transpose(0, 3, 2, 1)  # [element, pair, n_in, n_out]
        of_pair = np.ones(weight.shape[1])
        of_pair[pair] = norm[to]
        require(bool(np.all(of_pair[pair] == norm[to])), f"norms of {r.name} that depend on m")
        out[f"{r.name}.{name}.from"] = indices(collected["func_collect_ind"])
        out[f"{r.name}.{name}.to"] = to
        out[f"{r.name}.{name}.pair"] = pair
        out[f"{r.name}.{name}.weight"] = np.ascontiguousarray(weight * of_pair[:, None, None])
    return out


def reduction(r: Any, n: int) -> dict[str, Any]:
    require(r.only_invar, f"{r.name} is read out, but is no scalar")
    require(not r.out_norm and not r.lm_first, f"{r.name} of another layout")
    require(r.init_collection == "zeros", f"{r.name} starts from {r.init_collection}")
    out = {}
    for name, collected in r.collector.items():
        weight = array(getattr(r, f"reducing_{name}")) * float(array(getattr(r, f"norm_{name}")))
        if not r.is_central_atom_type_dependent:
            weight = np.broadcast_to(weight, (n, *weight.shape))
        weight = weight[..., indices(collected["w_l_tile"])]  # [element, n_out, n_in, function]
        out[f"{r.name}.{name}.function"] = indices(collected["func_collect_ind"])
        out[f"{r.name}.{name}.weight"] = np.ascontiguousarray(weight.transpose(0, 3, 2, 1))
    return out


def readout(target: Any) -> dict[str, Any]:
    require(target.normalize is None and target.n_out == 1, "a normalised readout")
    layers = [getattr(target.mlp, f"layer{i}") for i in range(target.mlp.nlayers)]
    out: dict[str, Any] = {}
    factor = 1.0
    for i, layer in enumerate(layers):
        require(not layer.use_bias, "a readout with a bias")
        out[f"energy.{i}"] = array(layer.w) * float(array(layer.norm)) * factor
        name = getattr(layer.activation, "__name__", None)
        last = i == len(layers) - 1
        require(
            name in ({None} if last else {"silu", "swish", "silu_n2norm", "tanh"}),
            f"readout activation {name}, expected silu or tanh",
        )
        factor = SILU_NORM if name == "silu_n2norm" else 1.0
        if not last:
            out["energy.activation"] = "tanh" if name == "tanh" else "silu"
    require(len(layers) == 2, f"a readout of {len(layers)} layers, expected 2")
    return out


def constant_shift(target: Any, n: int) -> np.ndarray:
    require(target.chemical_embedding is None, "a shift by chemical embedding")
    shift = np.full(n, float(array(target.constant_shift)))
    if target.atomic_shift_map is not None:
        shift = shift + array(target.atomic_shift_map).reshape(-1)
    return shift


def zbl(z: Any, n: int) -> dict[str, Any]:
    cutoff = (
        z.bond_zbl_cutoff_map if z.bond_zbl_cutoff else np.full((n, n), float(array(z.cutoff).reshape(())))
    )
    return {
        "zbl.cutoff": array(cutoff).reshape(n, n),
        "zbl.width": np.float64(array(z.delta_cutoff).reshape(())),
        "zbl.number": array(z.at_nums).reshape(-1),
        "zbl.coulomb": np.float64(array(z.K).reshape(())),
    }


# ---- the model ----


def elements_of(instruction: Any) -> list[str]:
    symbols = [s.decode() for s in instruction.element_map_symbols.numpy()]
    return [s for _, s in sorted(zip(instruction.element_map_index.numpy().tolist(), symbols, strict=True))]


SILENT = (
    "BondLength",
    "ScaledBondVector",
    "SphericalHarmonic",
    "ScalarChemicalEmbedding",
    "CreateOutputTarget",
)


class Layers:
    """Arrays and graphs of the layers, as the instructions come."""

    def __init__(self, elements: int, densities: set[str]) -> None:
        self.n = elements
        self.densities = densities  # what is read out, before it is normalised; other scalars are told
        self.out: dict[str, Any] = {}
        self.graphs: list[list[str]] = []
        self.bases: list[Any] = []
        self.coupled: Any = None
        self.norms: dict[str, str] = {}  # of a density: the instruction that normalises it

    def put(self, arrays: dict[str, Any]) -> None:
        prefix = "second." if len(self.graphs) == 2 else ""
        self.out |= {prefix + key: value for key, value in arrays.items()}

    def add(self, kind: str, i: Any) -> bool:
        """False if the class is not known here."""
        if kind == "SingleParticleBasisFunctionScalarInd":
            self.basis(i)
        elif kind == "SingleParticleBasisFunctionEquivariantInd":
            self.couple(i)
        elif kind == "FCRight2Left":
            self.out |= fully_connected(i)
            self.line(f"fc {i.name} {i.left.name} {i.right.name}")
        elif kind == "ProductFunction":
            self.out |= product(i)
            self.line(f"product {i.name} {i.left.name} {i.right.name}")
        elif kind == "FunctionReduceN":
            density = i.name in self.densities
            self.out |= reduction(i, self.n) if density else collection(i)
            self.line(f"{'reduce' if density else 'collect'} {i.name} {' '.join(i.collector)}")
        elif kind == "InvariantLayerRMSNorm":
            require(i.type in ("full", "only_nonlin"), f"{i.name} of type {i.type}")
            require(i.input.only_invar, f"{i.name} normalises {i.input.name}")
            self.out[f"{i.input.name}.norm"] = array(i.scale).reshape(-1)
            self.line(f"norm {i.input.name} {i.type}")
            self.norms[i.name] = i.input.name
        else:
            return False
        return True

    def line(self, text: str) -> None:
        require(bool(self.graphs), "no basis of single particles at the beginning")
        self.graphs[-1].append(text)

    def basis(self, i: Any) -> None:
        require(len(self.bases) < 2, f"{i.name} is a third basis")
        self.bases.append(i)
        self.graphs.append([f"basis {i.name}"])
        self.put(radial_functions(i.radial) | single_particle(i, self.n))

    def couple(self, i: Any) -> None:
        require(len(self.bases) == 2 and self.coupled is None, f"{i.name} is not coupled in the second layer")
        b = self.bases[1]
        require(i.radial is b.radial and i.angular is b.angular, f"{i.name} and {b.name} differ in functions")
        same = np.ravel(array(i.inv_avg_n_neigh)) == np.ravel(array(b.inv_avg_n_neigh))
        require(bool(np.all(same)), f"{i.name} and {b.name} differ in factors")
        self.coupled = i
        self.out |= coupling(i)
        self.line(f"couple {i.name}")
        self.graphs[0].append(f"message {i.indicator.name}")

    def finish(self, densities: list[str]) -> dict[str, Any]:
        """Arrays, once each layer has one density that is read out."""
        found = [self.norms.get(name, name) for name in densities]
        for graph, name in zip(self.graphs, found, strict=False):
            made = [line.split()[1] for line in graph if line.startswith("reduce ")]
            require(made == [name], f"densities {made}, but {name} is read out")
        require(len(found) == len(self.graphs), f"a readout of {len(found)} densities")
        require(len(self.graphs) == 1 or self.coupled is not None, "two layers without a message")
        require(set(self.norms) <= set(densities), "a norm that is not read out")
        keys = ("graph", "second.graph")
        return self.out | {key: "\n".join(g) for key, g in zip(keys, self.graphs, strict=False)}


def read_out(instructions: dict[str, Any]) -> set[str]:
    """Names of the densities, before they are normalised."""
    readouts = [i for i in instructions.values() if type(i).__name__ == "LinMLPOut2ScalarTarget"]
    origins = [o for i in readouts for o in i.origin]
    return {o.input.name if type(o).__name__ == "InvariantLayerRMSNorm" else o.name for o in origins}


def model_arrays(instructions: dict[str, Any]) -> dict[str, Any]:
    """Arrays of a built and restored model; raises Unsupported."""
    embedding = [i for i in instructions.values() if type(i).__name__ == "ScalarChemicalEmbedding"]
    require(len(embedding) == 1, "not a GRACE model of one or two layers")
    elements = elements_of(embedding[0])
    n = len(elements)
    out: dict[str, Any] = {"elements": " ".join(elements)}
    layers, densities = Layers(n, read_out(instructions)), []
    scale, shift = 1.0, np.zeros(n)
    zbl_added = False
    for name, instruction in instructions.items():
        kind = type(instruction).__name__
        require(not getattr(instruction, "lora", False), f"{name} has an unfinished LoRA")
        if layers.add(kind, instruction) or kind in (*SILENT, "MLPRadialFunction_v2"):
            continue
        if kind in ("RadialBasis", "BondSpecificRadialBasisFunction"):
            require("cutoff" not in out, "a second radial basis")
            out |= radial_basis(kind, instruction, n)
        elif kind == "LinMLPOut2ScalarTarget":
            densities = [o.name for o in instruction.origin]
            out |= readout(instruction)
        elif kind == "ConstantScaleShiftTarget":
            require(not zbl_added, "a scale after ZBL")
            factor = float(array(instruction.scale))
            scale, shift = scale * factor, shift * factor + constant_shift(instruction, n)
        elif kind == "TrainableShiftTarget":
            shift = shift + array(instruction.at_shifts).reshape(-1)
        elif kind == "ZBLPotential":
            out |= zbl(instruction, n)
        elif kind == "LinearOut2Target":
            origins = [type(o).__name__ for o in instruction.origin]
            require(origins == ["ZBLPotential"] and not instruction.trainable, f"{name} of {origins}")
            zbl_added = True
        else:
            raise Unsupported(f"instruction {name} of class {kind}: not a GRACE model that is known here")
    require("energy.0" in out and "cutoff" in out, "not a GRACE model of one or two layers")
    require(zbl_added == ("zbl.cutoff" in out), "ZBL that is not added to the energy")
    return out | layers.finish(densities) | {"scale": np.float64(scale), "shift": shift}


def load(model_yaml: str, checkpoint: str | None) -> tuple[dict[str, Any], str]:
    """Instructions with restored weights, and the type that the weights were stored in."""
    import tensorflow as tf
    from tensorpotential.instructions.base import load_instructions
    from tensorpotential.tpmodel import TPModel

    loaded = load_instructions(model_yaml)
    instructions = loaded if isinstance(loaded, dict) else {i.name: i for i in loaded}
    dtype = tf.float64
    if checkpoint:
        checkpoint = checkpoint.removesuffix(".index")
        stored = tf.train.load_checkpoint(checkpoint).get_variable_to_dtype_map()
        if tf.float32 in {
            d for key, d in stored.items() if key.startswith("model/") and ".OPTIMIZER_SLOT" not in key
        }:
            dtype = tf.float32
    model = TPModel(instructions)
    model.build(param_dtype=dtype)
    if checkpoint:
        status = tf.train.Checkpoint(model=model).read(checkpoint)
        status.assert_existing_objects_matched().expect_partial()
    return instructions, dtype.name


def write(path: str, arrays: dict[str, Any], about: dict[str, Any]) -> None:
    version = 2 if "second.graph" in arrays else 1
    meta = {"format": FORMAT, "version": np.int64(version), "about": json.dumps(about, sort_keys=True)}
    for key, value in arrays.items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f" and not np.isfinite(value).all():
            raise Unsupported(f"{key} holds numbers that are not finite")
    with open(path, "wb") as f:
        plain = {k: np.ascontiguousarray(v) if np.ndim(v) else np.asarray(v) for k, v in arrays.items()}
        np.savez(f, **meta, **plain)  # type: ignore[arg-type]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model_yaml")
    parser.add_argument("checkpoint")
    parser.add_argument("output")
    args = parser.parse_args(argv)
    instructions, dtype = load(args.model_yaml, args.checkpoint)
    import tensorpotential

    about = {"parameters": dtype, "tensorpotential": getattr(tensorpotential, "__version__", "unknown")}
    try:
        write(args.output, model_arrays(instructions), about)
    except Unsupported as e:
        print(f"ERROR: {args.model_yaml} cannot be written for grace/native: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
