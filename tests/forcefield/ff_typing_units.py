"""Repeat units that exercise the GAFF2 atom types: written by hand for each polymer family, and combinations."""

from __future__ import annotations

WRITTEN = {
    "hydrocarbons": """
        *CC* *CC(*)C *CC(*)CC *CC(*)(C)C *CC(*)C(C)C *CC(*)C1CCCCC1 *CC(*)C1CC1 *CC(*)C1CCC1 *CC(*)C1CCCC1
        *C1CCC(*)C1 *C1CC1* *C1CCC1* *CC1CCC1* *C1CCC(*)CC1 *C1CC2CC1CC2* *CC1(*)CC1 *C1CCCCCCC1*
        *C1C2CC(C1*)C=C2 *CC(*)C12CC3CC(CC(C3)C1)C2 *C12C3C4C1C5C2C3C45* *C1CC2CCC1C2C* *CC=CC* *CC=C(C)C*
        *CC(*)C=C *CC=C(Cl)C* *C=CCCC* *C=CC1CCC(*)C1 *CC(=C)C(*)=C *C=CC(C)CC* *CC=C=CC* *CC#CC* *CC(*)CC=C
        *CC(*)C1=CCCC1 *C1=CC1CC* *C1=CCC1C* *CC(*)c1ccccc1 *CC(*)(C)c1ccccc1 *CC(*)c1ccc(C)cc1
        *CC(*)c1ccc(Cl)cc1 *CC(*)c1ccc2ccccc2c1 *CC(*)c1ccc(-c2ccccc2)cc1 *CC(*)c1c(F)c(F)c(F)c(F)c1F
        *CC(*)c1ccc(C=C)cc1 *CC(*)c1ccc(C#C)cc1 *CC(*)c1ccc(C#N)cc1 *CC(*)c1ccc([N+](=O)[O-])cc1
        *CC(*)c1ccc(S(=O)(=O)O)cc1 *CC(*)c1ccc(N(C)C)cc1 *CC(*)c1ccc(CN)cc1 *CC(*)c1cc2ccccc2c2ccccc12
        *c1ccc(CC*)cc1 *C1=Cc2ccccc2C1* *CC(*)c1cccc2c1CC2 *C(c1ccccc1)C(*)c1ccccc1
    """,
    "halogens": """
        *C(F)(F)C(*)(F)F *CC(*)(F)F *CC(*)F *C(F)C(*)(F)F *C(F)(F)C(*)(F)Cl *CC(*)Cl *CC(*)(Cl)Cl *CC(*)Br
        *CC(*)I *C(F)(F)C(*)(F)C(F)(F)F *C(F)(F)C(*)(F)OC(F)(F)F *CC(*)C(F)(F)F *OC(F)(F)C(*)(F)F *C(F)(F)O*
        *CC(*)(Cl)C(=O)OC *CC(*)(F)C(=O)OC *C(Br)C(*)Br *CC(Cl)=C(Cl)C* *C(F)=C(*)F
        *C1(F)C(F)(F)OC(C(F)(F)F)(C(F)(F)F)C1(*)F
    """,
    "acrylics and vinyls": """
        *CC(*)C(=O)OC *CC(*)(C)C(=O)OC *CC(*)C(=O)O *CC(*)C(N)=O *CC(*)C(=O)NC *CC(*)C(=O)N(C)C *CC(*)C#N
        *CC(*)(C)C#N *CC(*)(C)C(=O)OCCO *CC(*)(C)C(=O)Oc1ccccc1 *CC(*)(C)C(=O)OCC1CO1 *CC(*)(C)C(=O)OCCN(C)C
        *CC(*)C(=O)OCC(F)(F)F *CC(*)(C)C(=O)N *CC(*)(C#N)C(=O)OC *CC(*)C(=O)NC(C)C *CC(*)C(=O)N1CCOCC1
        *CC(*)C(=O)NN *CC(*)C(=O)Cl *CC(*)C=O *CC(*)O *CC(*)OC(C)=O *CC(*)OC *CC(*)OC=O *CC(*)N1CCCC1=O
        *CC(*)n1ccnc1 *CC(*)n1c2ccccc2c2ccccc12 *CC(*)c1ccccn1 *CC(*)c1ccncc1 *CC(*)N *CC(*)NC=O *CC(*)N(C)C=O
        *CC(*)C(C)=O *CC(*)S *CC(*)SC *CC(*)S(=O)(=O)O *CC(*)P(=O)(O)O *CC(*)c1nnn[nH]1 *CC(*)c1ccco1
        *CC(*)c1cccs1 *CC(*)n1cncn1 *CC(*)C1=NCCO1 *CC(*)OC(=O)c1ccccc1 *CC1CC(*)OC(CCC)O1
        *CC(*)N1C(=O)c2ccccc2C1=O *C1C(=O)OC(=O)C1* *C1C(=O)NC(=O)C1* *C1C(=O)N(c2ccccc2)C(=O)C1* *CC(*)N=C=O
        *CC(*)CN=[N+]=[N-] *CC(*)C(=S)N *CC(*)C(=O)SC *CC(*)C(=S)SC *CC(*)OC(=O)OC *CC(*)(C(=O)OC)C(=O)OC
        *CC(*)C1CO1 *CC(*)N1CC1 *CC(*)C1CS1
    """,
    "ethers and sulfurs": """
        *CO* *CCO* *CC(C)O* *CCCO* *CCCCO* *CC(*)(C)O *CC(CCl)O* *CC(O)CO* *c1ccc(O*)cc1 *c1c(C)cc(O*)cc1C
        *OC(=O)CC* *c1ccc(C(=O)c2ccc(O*)cc2)cc1 *Oc1ccc(Oc2ccc(C(=O)c3ccc(*)cc3)cc2)cc1 *CC1(COC1)CO*
        *CC1(CC)COC1* *C1OC1* *COC1COC(*)CO1 *OC1C(O)C(O)C(*)OC1CO *C1COC(*)CO1 *COO* *c1ccc(S*)cc1 *CCS*
        *CCSS* *SSCC* *CSC* *c1ccc(S(=O)c2ccc(*)cc2)cc1 *c1ccc(S(*)(=O)=O)cc1 *CCS(*)(=O)=O *CC(*)S(C)(=O)=O
        *c1ccc(Oc2ccc(S(=O)(=O)c3ccc(*)cc3)cc2)cc1 *CS(*)=O *CC1CSC1* *C1CSC1* *OS(=O)(=O)c1ccc(*)cc1
        *NS(=O)(=O)c1ccc(*)cc1 *OS(=O)OCC* *SC(=O)CC* *c1ccc(SC(=O)*)cc1 *CSC(=S)* *CCSC(=S)SC* *C=CS(*)(=O)=O
        *C=CS(*)=O
    """,
    "condensation": """
        *OC(=O)C* *OC(C)C(*)=O *OCCCCCC(*)=O *OCC(*)=O *OCCOC(=O)c1ccc(C(*)=O)cc1 *OCCCCOC(=O)CCC(*)=O
        *OC(=O)c1ccc(*)cc1 *OC(=O)O* *CCOC(=O)O* *Oc1ccc(C(C)(C)c2ccc(OC(*)=O)cc2)cc1 *SC(=O)Oc1ccc(*)cc1
        *OC(=S)O* *C(=O)OC(=O)* *c1ccc(C(=O)OC(*)=O)cc1 *CCCCC(=O)OC(*)=O *NCCCCCC(*)=O *NCC(*)=O *NC(C)C(*)=O
        *NCCCCCCNC(=O)CCCCC(*)=O *Nc1ccc(NC(=O)c2ccc(C(*)=O)cc2)cc1 *N(C)CC(*)=O *N1CCN(*)CC1
        *C(=O)N1CCN(C(*)=O)CC1 *NC(=O)CC* *NC(=O)N* *NCCNC(=O)* *Nc1ccc(NC(*)=O)cc1 *NC(=O)NCCO*
        *OC(=O)NCCCCCCNC(=O)OCC* *OC(=O)Nc1ccc(Cc2ccc(NC(=O)OCCCC*)cc2)cc1 *OC(=O)N(C)CC* *NC(=S)NCC* *CC(=O)*
        *CCC(*)=O *C(=O)C(*)=O *CCN* *CCN(*)C(C)=O *CCN(*)CC *CCCN* *C=NN=C* *CN=NC* *N=Cc1ccc(C=N*)cc1
        *c1ccc(N=Nc2ccc(*)cc2)cc1 *c1ccc(C=Nc2ccc(*)cc2)cc1 *NN* *NNC(=O)c1ccc(C(*)=O)cc1 *NC(=N)N* *NC(=NC)N*
        *CC(=NO)C(*)=NO *N=C=NCCCCCC* *N(C)N(*)C *N(N=O)CC* *NC(=O)C(=O)N* *ONC(=O)* *NOC* *OC(=N)C*
        *C(=O)NN=C* *N1C(=O)C(*)NC1=O *C1NC(=O)C(*)NC1=O *N1CC(*)C1 *N1CC1C* *C1CN1C(*)=O *N1CCC1C*
        *C1CC(=O)N1* *N1CCC(*)C1=O *NC1CCC(*)CC1 *CNC1CC1* *N1CC(*)=CC1
    """,
    "phosphorus": """
        *N=P(*)(Cl)Cl *N=P(*)(OCC(F)(F)F)OCC(F)(F)F *N=P(*)(Oc1ccccc1)Oc1ccccc1 *N=P(*)(NC)NC
        *N=P(*)(C)c1ccccc1 *OP(=O)(OC)O* *OP(*)(=O)O *CP(*)(C)=O *c1ccc(P(*)(=O)c2ccccc2)cc1
        *OP(*)(=O)c1ccccc1 *CP(*)c1ccccc1 *CCOP(=O)(C)O* *Oc1ccc(OP(*)(=O)Oc2ccccc2)cc1 *NP(=O)(OC)O*
        *OP(=S)(OC)O* *C=CP(*)c1ccccc1 *C=CP(*)(=O)C *CC(*)P(=O)(OCC)OCC *OPO* *CC(*)OP(C)C *C=PC=C*
        *c1ccp(*)c1 *c1cc(*)ccp1
    """,
    "conjugated": """
        *C=C* *C=CC=C* *C(C)=C* *C(c1ccccc1)=C* *C#C* *C#CC#C* *C#Cc1ccc(*)cc1 *C=Cc1ccc(*)cc1 *C=CC#C*
        *C(=C*)C#N *C(C#N)=C(*)C#N *C(=C)C(*)=C *C=C(*)C=C *C=CC(*)=O *C(=O)C=C* *C=CC(=O)O* *C=NN=C* *C=N*
        *N=N* *C=CN=N* *C(C)=NN=C(*)C *N=CC=N* *c1ccc(*)cc1 *c1cccc(*)c1 *c1ccccc1* *c1ccc(-c2ccc(*)cc2)cc1
        *c1ccc2cc(*)ccc2c1 *c1c2ccccc2c(*)c2ccccc12 *c1cc(C)c(*)cc1C *c1ccc2c(c1)Cc1cc(*)ccc1-2
        *c1ccc2c(c1)C(C)(C)c1cc(*)ccc1-2 *c1ccc2c(c1)[nH]c1cc(*)ccc12 *c1ccc2c(c1)oc1cc(*)ccc12
        *c1ccc2c(c1)sc1cc(*)ccc12 *c1ccc(*)s1 *c1cc(C)c(*)s1 *c1cc(CCCCCC)c(*)s1 *c1sc(*)c2OCCOc12
        *c1ccc(*)[nH]1 *c1ccc(*)o1 *c1ccc(*)n1C *c1ccc(*)nc1 *c1cnc(*)cn1 *c1ccc(*)nn1 *c1cc(*)ncn1
        *c1nc(*)nc(C)n1 *c1nnc(*)nn1 *c1ncc(*)[nH]1 *c1nc(*)co1 *c1nc(*)cs1 *c1nnc(*)o1 *c1nnc(*)s1
        *c1nnc(*)[nH]1 *c1noc(*)n1 *c1nonc1* *c1nsnc1* *c1cc(*)on1 *c1cc(*)n[nH]1 *n1cc(*)cn1 *c1cc2sc(*)cc2s1
        *c1cc2cc(*)sc2s1 *c1sc(*)c2ccccc12 *c1[nH]c(*)c2ccccc12 *c1c2ccccc2oc1* *c1ccc2[nH]cc(*)c2c1
        *c1cc2cc(*)ccc2[nH]1 *c1nc2cc(*)ccc2[nH]1 *c1nc2cc(*)ccc2o1 *c1nc2cc(*)ccc2s1 *c1ccc2nc(*)ccc2c1
        *c1cnc2cc(*)ccc2n1 *c1ccc(*)c2nsnc12 *c1ccc(*)c2nonc12 *c1ccc2cc(*)cc2cc1 *c1cc2cccc-2c1*
        *c1ccc2ccc3ccc(*)cc3c2c1 *c1cc2ccc3cccc4ccc(c1*)c2c34 *c1cc2cccc3c2c(c1*)C=C3 *C1=CC(*)=CC1
        *C1=CC=C(*)C1=O *C1=CC(=O)C(*)=CC1=O *C1=C(*)C(=O)C(=O)C1 *C1=CC(=C)C=C1* *C1=CC(=C)C(*)=CC1=C
        *C1=CC(*)=C1 *C1C=CC=C1* *Nc1ccc(*)cc1 *Nc1ccc(N=C2C=CC(=N*)C=C2)cc1 *N(c1ccccc1)c1ccc(*)cc1
        *N=C1C=CC(=N*)C=C1 *c1ccc(NC=C*)cc1 *C=Cc1ccc(*)s1 *C=Cc1ccc(C=C*)cc1 *C(C#N)=Cc1ccc(*)cc1
        *C=Cc1ccc(*)nc1 *c1ccc(C#CC#C*)cc1 *N=Nc1ccc(*)cc1 *c1ccc(N=C(*)C)cc1 *C=CSC=C* *C=COC=C* *C=CNC=C*
        *SC=C* *c1ccc(S*)s1 *c1csc(*)c1 *C1=CSC(*)=CS1 *C1=COC(*)=CO1 *C1=CNC(*)=CN1 *c1cc[n+]([O-])c(*)c1
        *C=[N+]([O-])C* *c1[nH]c(=O)[nH]c1* *c1cc(=O)[nH]c(*)c1 *c1cc(=O)oc(*)c1 *n1c(=O)n(*)c(=O)n(C)c1=O
        *n1c(=O)[nH]c(*)c1 *N1C=C(*)C=C1 *N1C=CC(*)C=C1 *c1nc2nc(*)cnc2cn1 *c1nc2c(ncn2*)cn1 *C1=NC=NC1*
        *c1cc(*)c2ccccc2c1C#N *C=Cc1cc(OC)c(*)cc1OC *c1ccc2c(c1)c1ccccc1n2CC* *c1cnn(*)n1 *c1nnn(*)n1
        *C(=C=C*)C *C=C=C* *C=C=C=C* *c1ccc2c(c1)Sc1cc(*)ccc1S2 *c1ccc2c(c1)Oc1cc(*)ccc1O2
        *c1ccc2c(c1)Nc1cc(*)ccc1N2 *c1cc2c(cc1*)C=Cc1ccccc1C=C2 *c1ccc2c(c1)-c1ccc(*)cc1C2=O
        *c1ccc2c(c1)C(=O)c1cc(*)ccc1C2=O *c1ccc(N2C=CN(*)C=C2)cc1
    """,
    "imides": """
        *c1ccc(Oc2ccc(N3C(=O)c4cc5C(=O)N(*)C(=O)c5cc4C3=O)cc2)cc1
        *c1ccc(N2C(=O)c3cc4C(=O)N(*)C(=O)c4cc3C2=O)cc1 *c1ccc(-n2c(=O)c3cc4c(=O)n(*)c(=O)c4cc3c2=O)cc1
        *CCN1C(=O)c2cc3C(=O)N(*)C(=O)c3cc2C1=O *c1ccc(N2C(=O)c3ccc4c5c(ccc(c35)C2=O)C(=O)N(*)C4=O)cc1
        *C1=C(*)C(=O)N(C)C1=O *c1ccc(N2C(=O)C=C(*)C2=O)cc1 *CCCCCCN1C(=O)C2C3C=CC(C4C(=O)N(*)C(=O)C34)C2C1=O
        *c1ccc2c(c1*)C(=O)NC2=O *N1C(=O)CC(*)C1=O *c1ccc2c(c1)C(=O)N(*)C2 *c1ccc2nc3c4ccc(*)cc4C(=O)n3c2c1
        *c1ccc(C2=NC(=O)c3cc(*)ccc3O2)cc1 *c1ccc2c(c1*)C(=O)OC2=O *N1C(=O)N(*)C(=O)C1(C)C
    """,
}

_IMIDE_LINKS = ("O", "-", "C(C(F)(F)F)(C(F)(F)F)", "C(=O)")
_DIAMINES = (
    "c1ccc({})cc1",
    "c1cccc({})c1",
    "c1ccc(Oc2ccc({})cc2)cc1",
    "c1ccc(S(=O)(=O)c2ccc({})cc2)cc1",
    "c1ccc(-c2ccc({})cc2C(F)(F)F)c(C(F)(F)F)c1",
    "CCCCCC{}",
    "C1CCC({})CC1",
)
_DIACIDS = (
    "CCCC",
    "CCCCCCCC",
    "c8ccc({})cc8",
    "c8cccc({})c8",
    "c8ccc9cc({})ccc9c8",
    "C=C",
    "C8CCC({})CC8",
    "c8ccc({})o8",
)
_DIOLS = ("CC", "CCOCC", "CC(C)(C)C", "c1ccc({})cc1", "c1ccc(C(C)(C)c2ccc({})cc2)cc1", "C1CCC({})CC1", "CC1CCC(C{})CC1")


def _end(fragment: str, group: str) -> str:
    return fragment.format(group) if "{}" in fragment else fragment + group


def combinations() -> list[str]:
    """Return polyimides, polyesters, polyamides and polyurethanes of common monomers."""
    units: list[str] = []
    for link in _IMIDE_LINKS:
        imide = f"N9C(=O)c7ccc({link}c4ccc5C(=O)N(*)C(=O)c5c4)cc7C9=O"
        units += ["*" + _end(amine, imide) for amine in _DIAMINES]
    for acid in _DIACIDS:
        units += ["*O" + _end(diol, f"OC(=O){_end(acid, 'C(*)=O')}") for diol in _DIOLS]
        units += ["*N" + _end(amine, f"NC(=O){_end(acid, 'C(*)=O')}") for amine in _DIAMINES[:3]]
    units += ["*OC(=O)N" + _end(amine, f"NC(=O)O{_end(diol, '*')}") for amine in _DIAMINES[:2] for diol in _DIOLS[:3]]
    return units


def all_units() -> list[str]:
    """Return every unit once, hand-written ones first."""
    written = [unit for family in WRITTEN.values() for unit in family.split()]
    return list(dict.fromkeys([*written, *combinations()]))
