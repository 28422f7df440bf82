"""GAFF2 types of molecules whose types are known by hand, and what typing must not depend on."""

from __future__ import annotations

import numpy as np
import pytest
from ff_typing_units import all_units
from rdkit import Chem

from polyomics.errors import UnsupportedError
from polyomics.forcefield.typing import atom_types
from polyomics.forcefield.typing_colours import SECOND_NAMES
from polyomics.forcefield.typing_graph import RingClass, typing_graph
from polyomics.polymer.chain import chain, to_rdkit
from polyomics.polymer.psmiles import parse

FIRST_NAMES = {second: first for first, second in SECOND_NAMES.items()}


def explicit(smiles: str) -> Chem.Mol:
    return Chem.AddHs(Chem.MolFromSmiles(smiles))


def heavy_types(smiles: str) -> str:
    mol = explicit(smiles)
    return " ".join(atom_types(mol)[: mol.GetNumHeavyAtoms()])


def hydrogen_types(smiles: str) -> set[str]:
    mol = explicit(smiles)
    return set(atom_types(mol)[mol.GetNumHeavyAtoms() :])


def plain(types: tuple[str, ...]) -> list[str]:
    return [FIRST_NAMES.get(name, name) for name in types]


@pytest.mark.parametrize(
    ("name", "smiles", "types"),
    [
        ("ethane", "CC", "c3 c3"),
        ("benzene", "c1ccccc1", "ca ca ca ca ca ca"),
        ("styrene", "C=Cc1ccccc1", "c2 ce ca ca ca ca ca ca"),
        ("biphenyl", "c1ccccc1-c1ccccc1", "ca ca ca ca ca cp cp ca ca ca ca ca"),
        ("methyl methacrylate", "C=C(C)C(=O)OC", "c2 ce c3 c o os c3"),
        ("acetamide", "CC(=O)N", "c3 c o nt"),
        ("N-methylacetamide", "CC(=O)NC", "c3 c o ns c3"),
        ("N,N-dimethylacetamide", "CC(=O)N(C)C", "c3 c o n c3 c3"),
        ("dimethyl sulfoxide", "CS(=O)C", "c3 s4 o c3"),
        ("dimethyl sulfoxide, charges separated", "C[S+]([O-])C", "c3 s4 o c3"),
        ("dimethyl sulfone", "CS(=O)(=O)C", "c3 s6 o o c3"),
        ("diphenyl sulfone", "O=S(=O)(c1ccccc1)c1ccccc1", "o sy o " + " ".join(["ca"] * 12)),
        ("acetonitrile", "CC#N", "c3 c1 n1"),
        ("acrylonitrile", "C=CC#N", "c2 ce cg n1"),
        ("propyne", "CC#C", "c3 c1 c1"),
        ("diacetylene", "CC#CC#CC", "c3 c1 cg cg c1 c3"),
        ("ethene", "C=C", "c2 c2"),
        ("butadiene", "C=CC=C", "c2 ce ce c2"),
        ("hexatriene", "C=CC=CC=C", "c2 ce ce cf cf c2"),
        ("allene", "C=C=C", "c2 c1 c2"),
        ("pyrrole", "c1cc[nH]c1", "cc cc cd na cd"),
        ("pyridine", "c1ccncc1", "ca ca ca nb ca ca"),
        ("thiophene", "c1ccsc1", "cc cc cd ss cd"),
        ("furan", "c1ccoc1", "cc cc cd os cd"),
        ("imidazole", "c1c[nH]cn1", "cc cd na cd nc"),
        ("indole", "c1ccc2[nH]ccc2c1", "ca ca ca ca na cc cd ca ca"),
        ("carbazole", "c1ccc2c(c1)[nH]c1ccccc12", "ca ca ca cp ca ca na ca ca ca ca ca cp"),
        ("naphthalene", "c1ccc2ccccc2c1", " ".join(["ca"] * 10)),
        ("phthalimide", "O=C1NC(=O)c2ccccc12", "o c ns c o ca ca ca ca ca ca"),
        ("maleimide", "O=C1NC(=O)C=C1", "o c ns c o cc cd"),
        ("benzoquinone", "O=C1C=CC(=O)C=C1", "o c cc cd c o cc cd"),
        ("aniline", "Nc1ccccc1", "nv ca ca ca ca ca ca"),
        ("diphenylamine", "N(c1ccccc1)c1ccccc1", "nu " + " ".join(["ca"] * 12)),
        ("trimethylamine", "CN(C)C", "c3 n3 c3 c3"),
        ("dimethylamine", "CNC", "c3 n7 c3"),
        ("methylamine", "CN", "c3 n8"),
        ("nitrobenzene", "[O-][N+](=O)c1ccccc1", "o no o ca ca ca ca ca ca"),
        ("azobenzene", "c1ccccc1N=Nc1ccccc1", "ca ca ca ca ca ca ne nf ca ca ca ca ca ca"),
        ("acetone azine", "CC(C)=NN=C(C)C", "c3 c2 c3 ne ne c2 c3 c3"),
        ("methyl isocyanate", "CN=C=O", "c3 n2 c1 o"),
        ("urea", "NC(=O)N", "nt c o nt"),
        ("methanethiol", "CS", "c3 sh"),
        ("dimethyl disulfide", "CSSC", "c3 ss ss c3"),
        ("thioacetamide", "CC(=S)N", "c3 cs s nt"),
        ("methanol", "CO", "c3 oh"),
        ("acetic acid", "CC(=O)O", "c3 c o oh"),
        ("oxirane", "C1CO1", "cx cx op"),
        ("oxetane", "C1COC1", "cy cy oq cy"),
        ("thiirane", "C1CS1", "cx cx sp"),
        ("aziridine", "C1CN1", "cx cx n5"),
        ("N-methylazetidine", "C1CN(C)C1", "cy cy nq c3 cy"),
        ("cyclopentane", "C1CCCC1", "c5 c5 c5 c5 c5"),
        ("cyclohexane", "C1CCCCC1", "c6 c6 c6 c6 c6 c6"),
        ("cyclopropene", "C1C=C1", "cx cu cu"),
        ("cyclobutene", "C1CC=C1", "cy cy cv cv"),
        ("trimethylphosphine", "CP(C)C", "c3 p3 c3 c3"),
        ("trimethyl phosphate", "COP(=O)(OC)OC", "c3 os p5 o os c3 os c3"),
        ("phenylphosphonic acid", "OP(=O)(O)c1ccccc1", "oh py o oh ca ca ca ca ca ca"),
        ("phosphazene", "CN=P(Cl)(Cl)Cl", "c3 n2 p5 cl cl cl"),
        ("phosphinine", "c1ccpcc1", "ca ca ca pb ca ca"),
        ("halomethane", "FC(Cl)(Br)I", "f c3 cl br i"),
    ],
)
def test_heavy_atoms_of_known_molecules(name: str, smiles: str, types: str) -> None:
    assert heavy_types(smiles) == types, name


@pytest.mark.parametrize(
    ("smiles", "types"),
    [
        ("CC", {"hc"}),
        ("CO", {"h1", "ho"}),
        ("ClCCl", {"h2"}),
        ("FC(F)F", {"h3"}),
        ("c1ccccc1", {"ha"}),
        ("c1ccncc1", {"ha", "h4"}),
        ("c1cncnc1", {"ha", "h4", "h5"}),
        ("C=O", {"h4"}),
        ("OC=O", {"h5", "ho"}),
        ("C#C", {"ha"}),
        ("CN", {"h1", "hn"}),
        ("CS", {"h1", "hs"}),
        ("CP", {"hc", "hp"}),
        ("C[N+](C)(C)[O-]", {"hx"}),
    ],
)
def test_hydrogens_by_what_their_neighbour_is_bound_to(smiles: str, types: set[str]) -> None:
    assert hydrogen_types(smiles) == types


def test_fluorinated_carbon_has_its_own_type_only_on_demand() -> None:
    mol = explicit("FC(F)(F)CC(F)=C")
    assert atom_types(mol)[:7] == ("f", "c3", "f", "f", "c3", "c2", "f")
    assert atom_types(mol, fluorine_c3f=True)[:7] == ("f", "c3f", "f", "f", "c3", "c2", "f")


@pytest.mark.parametrize(
    ("smiles", "kind"),
    [
        ("c1ccccc1", RingClass.PURE),
        ("c1ccncc1", RingClass.PURE),
        ("c1ccoc1", RingClass.PLANAR),
        ("C1=CNC=CN1", RingClass.PLANAR),
        ("O=C1NC(=O)C=C1", RingClass.OUTSIDE),
        ("O=c1cccc[nH]1", RingClass.OUTSIDE),
        ("C1=CCC=C1", RingClass.MIXED),
        ("C1CCOC1", RingClass.MIXED),
        ("C1CCCC1", RingClass.ALIPHATIC),
    ],
)
def test_ring_classes_are_gaffs(smiles: str, kind: RingClass) -> None:
    ring = {c for classes in typing_graph(explicit(smiles)).classes for c in classes}
    assert ring == {kind}


def test_the_imide_ring_of_kapton_is_not_aromatic_although_rdkit_says_so() -> None:
    mol = explicit("O=c1c2cc3c(=O)n(C)c(=O)c3cc2c(=O)n1C")
    assert mol.GetAtomWithIdx(1).GetIsAromatic()
    assert heavy_types("O=c1c2cc3c(=O)n(C)c(=O)c3cc2c(=O)n1C") == "o c ca ca ca c o n c3 c o ca ca ca c o n c3"


@pytest.mark.parametrize(
    ("smiles", "atom"),
    [
        ("C[Si](C)(C)C", "(Si)"),
        ("C[NH3+]", "(N)"),
        ("C[CH2]", "(C)"),
        ("CI=O", "(I)"),
        ("C[B]C", "(B)"),
    ],
)
def test_what_cannot_be_typed_is_named(smiles: str, atom: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        atom_types(explicit(smiles), subject="*C*")
    assert atom in caught.value.reason
    assert caught.value.subject == "*C*"
    assert caught.value.field == "psmiles"
    assert caught.value.remedy


def test_unnamed_molecules_are_named_by_their_smiles() -> None:
    with pytest.raises(UnsupportedError) as caught:
        atom_types(explicit("C[Si](C)(C)C"))
    assert caught.value.subject == "C[Si](C)(C)C"


@pytest.mark.parametrize("unit", all_units()[::12])
def test_types_do_not_depend_on_the_order_of_atoms(unit: str) -> None:
    mol = to_rdkit(chain(parse(unit), 2))
    reference = plain(atom_types(mol))
    order = [int(i) for i in np.random.default_rng(7).permutation(mol.GetNumAtoms())]
    shuffled = plain(atom_types(Chem.RenumberAtoms(mol, order)))
    assert shuffled == [reference[i] for i in order]


COLOUR = {**dict.fromkeys(FIRST_NAMES.values(), 0), **dict.fromkeys(FIRST_NAMES, 1)}


def contradictions(mol: Chem.Mol, types: tuple[str, ...]) -> int:
    """Return the number of bonds whose colours disagree with their Kekulé order (bonds of cp/cq left out)."""
    kekule = Chem.Mol(mol)
    Chem.Kekulize(kekule, clearAromaticFlags=True)
    wrong = 0
    for bond in kekule.GetBonds():
        ends = [types[bond.GetBeginAtomIdx()], types[bond.GetEndAtomIdx()]]
        if all(name in COLOUR and name not in ("cp", "cq") for name in ends):
            wrong += (COLOUR[ends[0]] == COLOUR[ends[1]]) != (bond.GetBondTypeAsDouble() == 1)
    return wrong


def kekule_trimer(unit: str) -> Chem.Mol:
    mol = to_rdkit(chain(parse(unit), 3))
    Chem.Kekulize(mol, clearAromaticFlags=True)
    return mol


# The periphery of azulene has five double bonds: no colouring can make all of them unlike.
ODD_RINGS = frozenset({"*c1ccc2cc(*)cc2cc1"})


@pytest.mark.parametrize("unit", [unit for unit in all_units() if unit not in ODD_RINGS][::6])
def test_pair_types_tell_single_from_double_bonds(unit: str) -> None:
    mol = kekule_trimer(unit)
    assert contradictions(mol, atom_types(mol)) == 0


def test_odd_rings_are_coloured_with_the_fewest_contradictions() -> None:
    mol = explicit("c1ccc2cccc2cc1")
    Chem.Kekulize(mol, clearAromaticFlags=True)
    assert contradictions(mol, atom_types(mol)) == 1


def test_biphenyl_like_bonds_join_like_colours_and_rings_unlike_ones() -> None:
    assert heavy_types("c1ccc(-c2ccccc2)c(-c2ccccc2)c1") == "ca ca ca cp cp ca ca ca ca ca cq cq ca ca ca ca ca ca"


def period(unit: str) -> int:
    """Return after how many units the types of the inner units of a chain of six repeat; 0 if they do not."""
    topology = chain(parse(unit), 6)
    types = np.array(atom_types(to_rdkit(topology)))
    inner = [types[(topology.residues == k) & (topology.template_atoms >= 0)].tolist() for k in range(1, 5)]
    return next((p for p in (1, 2) if inner[p:] == inner[:-p]), 0)


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("*C=C*", 2),
        ("*C#C*", 2),
        ("*C=N*", 2),
        ("*N=N*", 2),
        ("*c1ccccc1*", 2),
        ("*c1csc(*)c1", 2),
        ("*C=CC=C*", 1),
        ("*C=Cc1ccc(*)cc1", 1),
        ("*c1ccc(*)cc1", 1),
        ("*c1ccc(*)s1", 1),
        ("*Nc1ccc(*)cc1", 1),
        ("*C=CC*", 1),
        ("*CC*", 1),
        ("*C*", 1),
    ],
)
def test_the_colouring_repeats_after_one_unit_or_two(unit: str, expected: int) -> None:
    assert period(unit) == expected


@pytest.mark.parametrize("unit", all_units()[::8])
def test_types_of_every_unit_repeat_along_the_chain(unit: str) -> None:
    assert period(unit) in (1, 2)


def test_polyacetylene_alternates() -> None:
    topology = chain(parse("*C=C*"), 5)
    types = np.array(atom_types(to_rdkit(topology)))
    carbons = types[(topology.template_atoms >= 0) & (topology.numbers == 6)]
    assert " ".join(carbons) == "c2 ce ce cf cf ce ce cf cf c2"
