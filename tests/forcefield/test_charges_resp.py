"""Claims about RESP: the algebra of the fit, the potential it is fitted to, and published charges."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from polyomics.forcefield.charges import METHODS, molecule_charges, unit_charges
from polyomics.forcefield.charges.conformers import diverse_conformers
from polyomics.forcefield.charges.fit import FitProblem, NormalEquations, two_stage_fit
from polyomics.forcefield.charges.oligomer import capped_oligomer, oligomer_of_topology
from polyomics.forcefield.charges.resp import fit_units
from polyomics.forcefield.charges.surface import BOHR, RADII, SHELLS, inverse_distances, shell_points
from polyomics.polymer.psmiles import parse, parse_molecule

needs_pyscf = pytest.mark.skipif(METHODS["resp"].available() is not None, reason=str(METHODS["resp"].available()))


def _geometry(smiles):
    oligomer = oligomer_of_topology(parse_molecule(smiles))
    conformers = diverse_conformers(oligomer, 1, 0)
    numbers = np.array([atom.GetAtomicNum() for atom in conformers.mol.GetAtoms()])
    return oligomer, conformers, numbers


def _problem(oligomer, groups=None):
    n = oligomer.n_atoms
    heavy = np.array([atom.GetAtomicNum() > 1 for atom in oligomer.mol.GetAtoms()])
    return FitProblem(oligomer.classes, np.zeros(n, int) if groups is None else groups, heavy, np.zeros(n, bool))


def test_points_lie_on_the_shells_and_outside_every_atom():
    _, conformers, numbers = _geometry("COC(C)=O")
    positions = conformers.positions[0]
    points = shell_points(numbers, positions)
    radii = np.array([RADII[z] for z in numbers])
    scaled = (np.linalg.norm(points[:, None] - positions, axis=2) / radii).min(axis=1)
    assert np.abs(scaled[:, None] - np.array(SHELLS)).min(axis=1).max() < 1e-9


def test_the_fit_recovers_known_charges_without_restraint():
    oligomer = capped_oligomer(parse("*CCO*"), 3, ("*[H]", "*[H]"))
    conformers = diverse_conformers(oligomer, 3, 0)
    numbers = np.array([atom.GetAtomicNum() for atom in conformers.mol.GetAtoms()])
    rng = np.random.default_rng(7)
    # Random charges that obey the constraints: equal in each class, every unit neutral.
    raw = rng.normal(size=oligomer.classes.max() + 1)[oligomer.classes] * 0.3
    true = raw.copy()
    for residue in range(3):
        atoms = oligomer.atoms_of(residue)
        true[atoms] -= raw[atoms].mean()
    parts = []
    for positions in conformers.positions:
        inverse = conformers.in_order(inverse_distances(shell_points(numbers, positions), positions))
        parts.append(NormalEquations.of(inverse, inverse @ true))
    problem = _problem(oligomer, oligomer.residues)
    fitted = two_stage_fit(NormalEquations.total(parts), problem, restraint=(0.0, 0.0))
    assert len(parts) == 3
    assert np.abs(fitted - true).max() < 1e-6


def test_the_restrained_fit_is_the_minimum_of_the_published_objective():
    oligomer, conformers, numbers = _geometry("COC(C)=O")
    positions = conformers.positions[0]
    inverse = conformers.in_order(inverse_distances(shell_points(numbers, positions), positions))
    potential = inverse @ np.linspace(-0.5, 0.5, oligomer.n_atoms) + np.random.default_rng(0).normal(
        scale=1e-3, size=len(inverse)
    )
    problem = _problem(oligomer)
    charges = two_stage_fit(NormalEquations.of(inverse, potential), problem)

    def objective(q):
        # Bayly et al. 1993 as the resp program has it: the restraint enters the equations as a q / sqrt(q^2 + b^2).
        pull = 2 * 0.0005 * (np.sqrt(q[problem.heavy] ** 2 + 0.01) - 0.1).sum()
        return ((inverse @ q - potential) ** 2).sum() + pull

    rng = np.random.default_rng(1)
    for _ in range(200):
        step = rng.normal(size=oligomer.classes.max() + 1)[oligomer.classes]
        step -= step @ np.ones_like(step) / len(step)
        assert objective(charges + 1e-4 * step) > objective(charges)


def test_conformers_do_not_depend_on_the_order_of_atoms():
    forward = capped_oligomer(parse("*CCO*"), 3, ("*[H]", "*[H]"))
    backward = capped_oligomer(parse("*OCC*"), 3, ("*[H]", "*[H]"))
    one, two = (diverse_conformers(oligomer, 3, 0).positions for oligomer in (forward, backward))
    assert len(one) == 3
    assert np.array_equal(one, two)


@needs_pyscf
@pytest.mark.parametrize("smiles", ["O", "CCCl"])
def test_the_potential_is_that_of_exact_hartree_fock(smiles):
    from pyscf import gto, scf

    from polyomics.forcefield.charges.quantum import hartree_fock

    _, conformers, numbers = _geometry(smiles)
    positions = conformers.positions[0]
    points = shell_points(numbers, positions)
    ours = hartree_fock(numbers, positions, points, smiles)
    atoms = [(int(z), tuple(r)) for z, r in zip(numbers, positions, strict=True)]
    mol = gto.M(atom=atoms, basis="6-31g*", cart=True, verbose=0)
    exact = scf.RHF(mol).run(conv_tol=1e-10)
    electrons = mol.intor("int1e_grids", grids=points / BOHR).reshape(len(points), -1) @ exact.make_rdm1().ravel()
    potential = inverse_distances(points, positions) @ mol.atom_charges() - electrons
    # Root mean square of the potential here is 1e-2 to 2e-2 hartree/e.
    assert np.sqrt(((ours.potential - potential) ** 2).mean()) < 4e-5
    assert np.abs(ours.dipole - exact.dip_moment(unit="AU", verbose=0) * BOHR).max() < 1e-3


@needs_pyscf
def test_bromine_and_iodine_have_a_basis():
    from polyomics.forcefield.charges.quantum import hartree_fock

    _, conformers, numbers = _geometry("BrCI")
    points = shell_points(numbers, conformers.positions[0])
    electrons = hartree_fock(numbers, conformers.positions[0], points, "BrCI")
    assert np.isfinite(electrons.potential).all()
    # Far from a neutral molecule the potential is small: nuclei and (with an effective core) electrons cancel.
    assert np.abs(electrons.potential).max() < 0.05


@needs_pyscf
def test_methanol_has_the_published_resp_charges():
    # Amber's methanol (file meoh.in of AmberTools; HF/6-31G* RESP): C 0.1166, H 0.0372, O -0.6497, HO 0.4215.
    charges = molecule_charges(parse_molecule("CO"), "resp").middle
    assert charges == pytest.approx([0.1166, -0.6497, 0.0372, 0.0372, 0.0372, 0.4215], abs=0.02)


@needs_pyscf
@pytest.mark.parametrize("smiles", ["O", "C#N", "C=O"])
def test_resp_reproduces_the_quantum_dipole(smiles):
    from polyomics.forcefield.charges.quantum import hartree_fock

    oligomer, conformers, numbers = _geometry(smiles)
    positions = conformers.positions[0]
    points = shell_points(numbers, positions)
    electrons = hartree_fock(numbers, positions, points, smiles)
    inverse = conformers.in_order(inverse_distances(points, positions))
    charges = fit_units(NormalEquations.of(inverse, electrons.potential), oligomer)
    dipole = conformers.in_order(positions.T) @ charges
    assert np.linalg.norm(dipole - electrons.dipole) < 0.02 * np.linalg.norm(electrons.dipole)
    error = np.linalg.norm(inverse @ charges - electrons.potential)
    for method in ("gasteiger", "mmff94"):
        other = molecule_charges(parse_molecule(smiles), method).middle
        assert error < np.linalg.norm(inverse @ other - electrons.potential)


@needs_pyscf
def test_a_unit_is_neutral_in_the_fit_and_symmetric(monkeypatch):
    # A plain trimer: the longer context of so small a unit would only cost time here.
    monkeypatch.setitem(METHODS, "resp", dataclasses.replace(METHODS["resp"], context_heavy_atoms=0))
    charges = unit_charges(parse("*CO*"), "resp")
    for place in (charges.head, charges.middle, charges.tail):
        assert abs(place.sum()) < 1e-10
    assert np.ptp(charges.middle[2:]) < 1e-12
    assert charges.spread is not None
    assert charges.middle[1] < -0.2 < 0.1 < charges.middle[0]
