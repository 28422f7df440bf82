"""Owns the quantum chemistry behind RESP: HF/6-31G* by PySCF and the potential of its density at given points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from polyomics.errors import NumericsError
from polyomics.forcefield.charges.fitted import FittedIntegrals
from polyomics.forcefield.charges.surface import BOHR, inverse_distances

if TYPE_CHECKING:
    from polyomics.polymer.topology import FloatArray, IntArray

_SYMBOLS = {1: "H", 6: "C", 7: "N", 8: "O", 9: "F", 15: "P", 16: "S", 17: "Cl", 35: "Br", 53: "I"}
_CHUNK_BYTES = 128 * 2**20
_ENERGY, _GRADIENT = 1e-5, 1e-2


@dataclass(frozen=True, eq=False)
class Electrons:
    """What the charges are fitted to.

    Parameters
    ----------
    potential
        Electrostatic potential of nuclei and electrons at the points, hartree/e, shape (m,).
    dipole
        Dipole moment about the origin of the coordinates, e·Å, shape (3,).
    energy
        hartree.
    """

    potential: FloatArray
    dipole: FloatArray
    energy: float


def hartree_fock(numbers: IntArray, positions: FloatArray, points: FloatArray, name: str) -> Electrons:
    """Solve restricted Hartree–Fock in 6-31G* (Cartesian d) and evaluate its potential.

    Iodine, for which 6-31G* does not exist, has LANL2DZ with its effective core potential. With bromine or iodine d
    functions are spherical, since Cartesian fitting functions of these are linearly dependent. Two-electron integrals
    are density-fitted.

    Parameters
    ----------
    numbers
        Atomic numbers, shape (n,); the molecule is neutral and closed-shell.
    positions
        Å, shape (n, 3).
    points
        Å, shape (m, 3).
    name
        For messages.

    Raises
    ------
    NumericsError
        The self-consistent field did not converge.
    """
    from pyscf import gto, scf

    basis = {_SYMBOLS[int(z)]: "lanl2dz" if z == 53 else "6-31g*" for z in np.unique(numbers)}
    ecp = {"I": "lanl2dz"} if 53 in numbers else {}
    # The small Coulomb-fitting basis also does exchange, to 5e-6 hartree/e in the potential, but not in the cores of
    # third-row and heavier atoms.
    auxiliary = {
        _SYMBOLS[int(z)]: "def2-universal-jfit" if z < 11 else "def2-universal-jkfit" for z in np.unique(numbers)
    }
    atoms = [(_SYMBOLS[int(z)], tuple(r)) for z, r in zip(numbers, positions, strict=True)]
    mol = gto.M(atom=atoms, basis=basis, ecp=ecp, cart=bool(max(numbers) < 35), verbose=0)
    fitted = FittedIntegrals(mol, auxiliary)
    field = scf.RHF(mol)
    field.direct_scf = False
    field.get_jk = _Fock(fitted)
    field.conv_tol, field.conv_tol_grad = _ENERGY, _GRADIENT
    field.kernel()
    if not field.converged:
        field = scf.RHF(mol).density_fit(auxbasis=auxiliary).newton()
        field.kernel()
    if not field.converged:
        reason = "Hartree-Fock did not converge"
        raise NumericsError(reason, subject=name, field="charges", remedy="another seed, or charges: mmff94")
    density = np.asarray(field.make_rdm1())
    nuclei = inverse_distances(points, positions) @ mol.atom_charges()
    dipole = np.asarray(field.dip_moment(unit="AU", verbose=0)) * BOHR
    return Electrons(nuclei - _electron_potential(mol, density, points / BOHR), dipole, float(field.e_tot))


class _Fock:
    """Coulomb and exchange matrices in the form in which PySCF asks for them."""

    def __init__(self, fitted: FittedIntegrals) -> None:
        self._fitted = fitted

    def __call__(self, mol: Any, dm: Any, hermi: int = 1, *_: Any, **__: Any) -> tuple[FloatArray, FloatArray]:
        density = np.asarray(dm)
        if hasattr(dm, "mo_coeff"):
            occupied = dm.mo_occ > 0
            orbitals = dm.mo_coeff[:, occupied] * np.sqrt(dm.mo_occ[occupied])
        else:
            # The starting guess is a density only; its own eigenvectors serve as orbitals.
            values, vectors = np.linalg.eigh(density)
            kept = values > 1e-8
            orbitals = vectors[:, kept] * np.sqrt(values[kept])
        return self._fitted.coulomb(density), self._fitted.exchange(orbitals)


def _electron_potential(mol: Any, density: FloatArray, points: FloatArray) -> FloatArray:
    # Exact integrals: a fitted density is good enough for energies, but at these distances off by 3 %.
    step = max(1, _CHUNK_BYTES // (8 * density.size))
    flat = density.ravel()
    blocks = []
    for k in range(0, len(points), step):
        integrals = mol.intor("int1e_grids", grids=points[k : k + step])
        blocks.append(integrals.reshape(len(integrals), -1) @ flat)
    return np.concatenate(blocks)
