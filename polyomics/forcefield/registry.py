"""Force fields by name: entry points of the group ``polyomics.forcefields``, ours and those of other packages."""

from __future__ import annotations

from importlib.metadata import entry_points

from polyomics.errors import InputError
from polyomics.forcefield.interface import ForceField

GROUP = "polyomics.forcefields"


def force_field_names() -> tuple[str, ...]:
    """Return the names of all installed force fields, sorted."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


def get_force_field(name: str, **options: object) -> ForceField:
    """Return the force field of this name.

    Parameters
    ----------
    name
        Name of an entry point, for example ``gaff2``.
    options
        Passed to the force field, for example ``version="2.1"`` or ``fluorine_c3f=True`` for ``gaff2``.

    Raises
    ------
    InputError
        No force field has this name, or it does not take these options.
    """
    found = {point.name: point for point in entry_points(group=GROUP)}
    if name not in found:
        raise InputError(
            f"there is no force field {name!r}",
            field="force_field",
            remedy=f"one of {', '.join(sorted(found)) or 'none: install polyomics again'}",
        )
    try:
        force_field = found[name].load()(**options)
    except TypeError as error:
        raise InputError(f"{name} does not take these options: {error}", field="force_field") from error
    if not isinstance(force_field, ForceField):
        raise InputError(f"{found[name].value} is not a force field", field="force_field")
    return force_field
