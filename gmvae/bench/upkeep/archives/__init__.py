"""Small archives of grids, whole or in parts, from which every table can be computed again."""
