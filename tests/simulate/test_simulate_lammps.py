"""The same cell in another engine: LAMMPS reads what we write and finds OpenMM's energy, term by term."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rdkit.Chem import AllChem

from polyomics.build.cell import Cell
from polyomics.forcefield import get_force_field
from polyomics.forcefield.charges import unit_charges
from polyomics.forcefield.interface import FORCE_GROUPS, Nonbonded, SystemOptions
from polyomics.polymer.chain import chain, to_rdkit
from polyomics.polymer.psmiles import parse
from polyomics.polymer.topology import Assembly
from polyomics.simulate.platform import choose_platform

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from lammps_data import KCAL, hydrogen_bond_types, lammps_commands, write_lammps_data

NONBONDED = Nonbonded(cutoff=0.9, dispersion_correction=False, ewald_tolerance=1e-6)
TERMS = ("ebond", "eangle", "edihed", "eimp", "pe")


def lammps_energies(data, folder):
    commands = [
        *lammps_commands(NONBONDED, data, kspace=1e-7),
        "pair_modify table 0",
        "run 0",
        *(f"variable {term} equal {term}" for term in TERMS),
        'print "FOUND ' + " ".join(f"$({term}:%.9f)" for term in TERMS) + '"',
    ]
    script = folder / "in.energy"
    script.write_text("\n".join(commands) + "\n")
    lmp = Path(sys.executable).with_name("lmp")
    done = subprocess.run(
        [lmp, "-in", script, "-log", "none"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("FOUND"))
    return dict(zip(TERMS, map(float, line.split()[1:]), strict=True))


@pytest.mark.parametrize("psmiles", ["*CC(C)(C(=O)OC)*", "*CC(*)c1ccccc1", "*NCCCCCC(*)=O"])
def test_energies_agree_with_lammps(psmiles, tmp_path):
    import openmm

    unit = parse(psmiles)
    topology = chain(unit, 3)
    mol = to_rdkit(topology)
    assert AllChem.EmbedMolecule(mol, randomSeed=7) == 0
    positions = mol.GetConformer().GetPositions() / 10.0
    box = np.full(3, 3.0)
    copies = np.concatenate([positions + 0.2, positions + np.array([0.2, 0.2, 1.6])])
    cell = Cell(Assembly((topology,), (2,)), copies, box)
    charges = (unit_charges(unit, "gasteiger"),)
    force_field = get_force_field("gaff2")
    system = force_field.parametrise(cell.assembly, (charges,), box, SystemOptions(NONBONDED, constraints="none"))
    context = choose_platform("Reference").open(system, openmm.VerletIntegrator(0.001))
    context.setPositions(copies)

    def energy(*terms):
        groups = sum(1 << FORCE_GROUPS[term] for term in terms)
        return context.getState(energy=True, groups=groups).getPotentialEnergy()._value / KCAL

    data = tmp_path / "cell.data"
    write_lammps_data([force_field.parameters(topology, charges)], cell, data)
    assert hydrogen_bond_types(data)
    found = lammps_energies(data, tmp_path)
    for name, term in (("ebond", "bond"), ("eangle", "angle"), ("edihed", "proper"), ("eimp", "improper")):
        assert found[name] == pytest.approx(energy(term), rel=1e-6, abs=1e-6)
    total = energy("bond", "angle", "proper", "improper", "nonbonded", "reciprocal")
    assert found["pe"] == pytest.approx(total, rel=1e-5, abs=2e-3)
