"""Owns density fitting: Coulomb and exchange matrices from three-centre integrals, in blocks, in single precision."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import linalg

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from polyomics.polymer.topology import FloatArray

_BLOCK_BYTES = 192 * 2**20
_EXCHANGE_BYTES = 16 * 2**20


class FittedIntegrals:
    """Two-electron integrals ``(μν|λσ) ≈ Σ_P B_Pμν B_Pλσ`` of a molecule with B in single precision.

    PySCF's own fitted exchange is double precision; half the precision is a third of the time and enough for a
    potential (tested against exact integrals).

    Parameters
    ----------
    mol
        A built ``pyscf.gto.Mole``.
    auxiliary
        Auxiliary basis, as PySCF takes it.
    """

    def __init__(self, mol: Any, auxiliary: Any) -> None:
        from pyscf import df

        self._aux = df.addons.make_auxmol(mol, auxiliary)
        self._n = int(mol.nao)
        self._triangle = linalg.cholesky(self._aux.intor("int2c2e"), lower=True)
        both = mol + self._aux
        first = mol.ao_loc_nr()
        self._blocks: list[tuple[int, int, NDArray[np.float32]]] = []
        for start, stop in self._shell_blocks(first):
            shells = (start, stop, 0, stop, mol.nbas, mol.nbas + self._aux.nbas)
            raw = both.intor("int3c2e", shls_slice=shells)
            rows, columns, width = raw.shape
            # PySCF returns Fortran order: as (pairs, P) it is solved in place, and its transpose is contiguous.
            pairs = raw.reshape(-1, width, order="F")
            solved = linalg.blas.dtrsm(1.0, self._triangle, pairs, side=1, lower=1, trans_a=1, overwrite_b=1)
            block = solved.T.astype(np.float32).reshape(width, columns, rows)
            self._blocks.append((int(first[start]), int(first[stop]), block))

    def _shell_blocks(self, first: NDArray[np.int32]) -> list[tuple[int, int]]:
        rows = max(16, _BLOCK_BYTES // (8 * len(self._triangle) * self._n))
        cuts = [0]
        for shell in range(1, len(first)):
            if first[shell] - first[cuts[-1]] >= rows or shell == len(first) - 1:
                cuts.append(shell)
        return list(pairwise(cuts))

    def coulomb(self, density: FloatArray) -> FloatArray:
        """Return the Coulomb matrix of a symmetric density, shape (n, n), summed in double precision."""
        weights = self._projection(density)
        matrix = np.zeros_like(density)
        for start, stop, block in self._blocks:
            part = np.zeros(block.shape[1:])
            for k in range(0, len(block), 128):
                part += np.tensordot(weights[k : k + 128], block[k : k + 128].astype(np.float64), 1)
            matrix[:stop, start:stop] = part
            matrix[start:stop, :start] = part[:start].T
        return matrix

    def exchange(self, orbitals: FloatArray) -> FloatArray:
        """Return the exchange matrix of the density ``C Cᵀ``, shape (n, n), from C, shape (n, k)."""
        c = orbitals.astype(np.float32)
        n, width = self._n, len(self._triangle)
        matrix = np.zeros((n, n))
        step = max(1, _EXCHANGE_BYTES // (4 * n * n))
        for k in range(0, width, step):
            count = min(step, width - k)
            full = np.empty((n, count, n), dtype=np.float32)
            for start, stop, block in self._blocks:
                part = block[k : k + count]
                full[:stop, :, start:stop] = part.transpose(1, 0, 2)
                full[start:stop, :, :start] = part[:, :start].transpose(2, 0, 1)
            half = (full.reshape(-1, n) @ c).reshape(n, -1)
            matrix += half @ half.T
        return matrix

    def _projection(self, density: FloatArray) -> FloatArray:
        total = np.zeros(len(self._triangle))
        for start, stop, block in self._blocks:
            # The part above the diagonal block stands for its mirror image too.
            weight = density[:stop, start:stop].copy()
            weight[:start] *= 2
            for k in range(0, len(block), 128):
                total[k : k + 128] += np.tensordot(block[k : k + 128].astype(np.float64), weight, 2)
        return total
