"""Tacticity and backbone configuration are what was asked for, as measured from coordinates."""

from __future__ import annotations

import numpy as np
import pytest
from build_molecules import POLYSTYRENE, cell, chains_of, unit
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from polyomics.build import check_geometry, dyad_statistics
from polyomics.build.dyads import configurations
from polyomics.build.stereo import unit_stereo
from polyomics.errors import InputError
from polyomics.polymer.chain import chain, to_rdkit

VINYLS = [POLYSTYRENE, "*CC(*)C", "*CC(*)(C)C(=O)OC", "*CC(C)CC(C)*", "*C(C)CCC(C)*"]


def share(psmiles, n_units, n_chains, tacticity):
    topology, points = chains_of(psmiles, n_units, n_chains, tacticity)
    dyads = [dyad_statistics(topology, p) for p in points]
    count = sum(n for _, n in dyads)
    return sum(m * n for m, n in dyads) / count, count


@pytest.mark.parametrize("psmiles", VINYLS)
def test_isotactic_chains_are_meso_and_syndiotactic_ones_racemo(psmiles):
    meso, count = share(psmiles, 20, 3, "isotactic")
    assert count >= 57
    assert meso >= 0.99
    assert share(psmiles, 20, 3, "syndiotactic")[0] <= 0.01


@pytest.mark.parametrize("psmiles", VINYLS)
def test_atactic_chains_are_half_meso(psmiles):
    meso, count = share(psmiles, 60, 10, "atactic")
    assert abs(meso - 0.5) < 3 * 0.5 / np.sqrt(count)


@pytest.mark.parametrize("marks", [("@", "@"), ("@", "@@"), ("@@", "@"), ("@@", "@@")])
def test_dyads_agree_with_cip_labels_where_those_are_unambiguous(marks):
    """A symmetric molecule is meso exactly if its two equal centres carry opposite CIP labels: RDKit is the referee."""
    smiles = f"CC(C)C[C{marks[0]}H](Cl)C[C{marks[1]}H](Cl)CC(C)C"
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    rdDistGeom.EmbedMolecule(mol, randomSeed=1)
    labels = {label for _, label in Chem.FindMolChiralCenters(mol, useLegacyImplementation=False)}
    topology = chain(unit("*CC(*)Cl"), 2, ("*C(C)C", "*CC(C)C"))
    points = mol.GetConformer().GetPositions()[list(mol.GetSubstructMatch(to_rdkit(topology)))]
    assert dyad_statistics(topology, points) == (1.0 if len(labels) == 2 else 0.0, 1)


def test_the_mirror_image_of_a_chain_has_the_same_dyads_and_opposite_handedness():
    topology, (points,) = chains_of(POLYSTYRENE, 30, 1)
    signs, _ = configurations(topology, points)
    mirror = points * np.array([1.0, 1.0, -1.0])
    assert np.array_equal(configurations(topology, mirror)[0], -signs)
    assert dyad_statistics(topology, mirror) == dyad_statistics(topology, points)


def test_tacticity_survives_relaxation():
    built = cell(POLYSTYRENE, tacticity="isotactic")
    starts = built.assembly.molecule_starts()
    for topology, a, b in zip(built.assembly.molecules(), starts, starts[1:], strict=False):
        assert dyad_statistics(topology, built.positions[a:b])[0] == 1.0


@pytest.mark.parametrize(
    ("psmiles", "trans"),
    [("*CC=CC*", True), ("*C/C=C/C*", True), ("*C/C=C\\C*", False), ("*C/C(C)=C\\C*", False), ("*C/C(C)=C/C*", True)],
)
def test_backbone_double_bonds_are_as_written_and_trans_by_default(psmiles, trans):
    assert [p.trans for p in unit_stereo(unit(psmiles)).planar] == [trans]
    topology, points = chains_of(psmiles, 20, 2)
    assert all(check_geometry(topology, p) == [] for p in points)


def test_a_wrong_double_bond_is_noticed():
    cis, _ = chains_of("*C/C=C\\C*", 5, 1)
    _, (points,) = chains_of("*C/C=C/C*", 5, 1)
    assert check_geometry(cis, points) == [f"double bond in unit {k} is trans" for k in range(1, 6)]


@pytest.mark.parametrize("psmiles", ["*NCCCCCC(=O)*", "*NCCNC(=O)CCC(=O)*", "*Nc1ccc(cc1)NC(=O)c1ccc(cc1)C(*)=O"])
def test_amides_are_trans_inside_units_and_between_them(psmiles):
    topology, points = chains_of(psmiles, 10, 2)
    assert all(check_geometry(topology, p) == [] for p in points)


@pytest.mark.parametrize("mark", ["@", "@@"])
def test_written_stereocentres_are_kept_in_every_unit(mark):
    psmiles = f"*OC(=O)[C{mark}H](C)*"
    topology, points = chains_of(psmiles, 20, 2, tacticity="atactic")
    assert all(check_geometry(topology, p) == [] for p in points)
    assert all(dyad_statistics(topology, p) == (1.0, 19) for p in points)
    signs = configurations(topology, points[0])[0]
    other = "@@" if mark == "@" else "@"
    opposite = chains_of(f"*OC(=O)[C{other}H](C)*", 20, 1)
    assert np.array_equal(configurations(opposite[0], opposite[1][0])[0], -signs)


def test_written_lactide_is_l_where_rdkit_says_s():
    """Handedness is tied to CIP: poly(L-lactide) has S centres."""
    topology, (points,) = chains_of("*OC(=O)[C@H](C)*", 6, 1)
    expected = Chem.MolFromSmiles("CC(=O)OC(=O)[C@H](C)OC")
    label = Chem.FindMolChiralCenters(expected, useLegacyImplementation=False)[0][1]
    mol = to_rdkit(topology)
    conformer = Chem.Conformer(mol.GetNumAtoms())
    conformer.SetPositions(np.ascontiguousarray(points))
    mol.AddConformer(conformer)
    Chem.AssignStereochemistryFrom3D(mol)
    found = dict(Chem.FindMolChiralCenters(mol, useLegacyImplementation=False))
    inner = [found[int(start)] for start in np.flatnonzero(topology.template_atoms == 3)[1:-1]]
    assert set(inner) == {label}


def test_syndiotactic_of_a_written_centre_is_refused():
    with pytest.raises(InputError, match="tacticity"):
        chains_of("*OC(=O)[C@H](C)*", 5, 1, tacticity="syndiotactic")


def test_a_ring_in_the_backbone_has_both_configurations():
    topology, points = chains_of("*C1CCC(*)CC1", 30, 3)
    signs = np.concatenate([configurations(topology, p)[0] for p in points])
    assert 0.2 < np.mean(signs > 0) < 0.8
