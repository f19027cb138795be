"""The clusterer behind every network: parameters, samples, results, files, seeds in step."""
