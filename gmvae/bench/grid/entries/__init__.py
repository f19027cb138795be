"""Entries of a config that say more than a name: own data sets, results of other programs."""
