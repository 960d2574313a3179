"""Whether two matches can fit one packet."""

from flows.match import Match


def overlaps(a: Match, b: Match) -> bool:
    """Could one packet match both? (If so, and they share table and priority, which one wins is undefined.)"""
    others = {field: (value, mask) for field, value, mask in b.items}
    for field, value, mask in a.items:
        other = others.get(field)
        if other is not None:
            common = (field.mask if mask is None else mask) & (field.mask if other[1] is None else other[1])
            if (value ^ other[0]) & common:
                return False
    return True
