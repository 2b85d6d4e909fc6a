"""The face followed through footage: the solver, draft, standard."""
