"""Shape keys for any head: lids, lips, contact, cavities, tetrahedra, transfer, editing."""
