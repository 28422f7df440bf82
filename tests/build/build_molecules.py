"""What the tests of this room share: a force field, charges and cells, each built once."""

from __future__ import annotations

from functools import cache

import numpy as np

from polyomics.build import build_cell, homopolymer_spec
from polyomics.build.grow import grow_chain
from polyomics.build.place import cached_library, centre_signs
from polyomics.build.system import Component, UnitShare
from polyomics.forcefield.charges import unit_charges
from polyomics.forcefield.gaff2 import GAFF2
from polyomics.polymer.chain import HYDROGEN_ENDS, backbone, chain
from polyomics.polymer.psmiles import parse

POLYSTYRENE = "*CC(*)c1ccccc1"
POLYCARBONATE = "*Oc1ccc(cc1)C(C)(C)c1ccc(cc1)OC(*)=O"
KAPTON = "*c1ccc(cc1)Oc1ccc(cc1)N1C(=O)c2cc3c(cc2C1=O)C(=O)N(*)C3=O"


@cache
def unit(psmiles):
    return parse(psmiles)


@cache
def charges_of(psmiles):
    return ((unit_charges(unit(psmiles), "gasteiger"),),)


@cache
def cell(psmiles, chains=4, atoms=250, seed=1, tacticity="atactic"):
    spec = homopolymer_spec(psmiles, chains, atoms, tacticity)
    return build_cell(spec, GAFF2(), charges_of(psmiles), seed)


def chains_of(psmiles, n_units, n_chains, tacticity="atactic", seed=0):
    """Grow chains without any box: the topology and a list of coordinates in Å."""
    topology = chain(unit(psmiles), n_units)
    library = cached_library(topology, HYDROGEN_ENDS)
    component = Component(units=(UnitShare(psmiles=psmiles),), tacticity=tacticity)
    rng = np.random.default_rng(seed)
    points = []
    for _ in range(n_chains):
        signs = centre_signs(library.stereo, n_units, component, rng)
        points.append(grow_chain(library, signs, rng).points)
    return topology, points


def characteristic_ratio(psmiles, n_units, n_chains, bonds, seed=0):
    """Mean square distance of backbone atoms ``bonds`` bonds apart over that of a freely jointed chain."""
    topology, points = chains_of(psmiles, n_units, n_chains, seed=seed)
    path = backbone(topology).path
    lengths = np.mean([np.sum(np.diff(p[path], axis=0) ** 2, axis=1).mean() for p in points])
    spans = [np.sum((p[path][bonds:] - p[path][:-bonds]) ** 2, axis=1).mean() for p in points]
    return float(np.mean(spans) / bonds / lengths)
