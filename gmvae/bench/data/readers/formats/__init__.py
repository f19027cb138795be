"""Single files: IDX, and the arrays of an .npz archive, each checked before it is read."""
