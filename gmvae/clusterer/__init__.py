"""What every clusterer with a network shares: parameters, samples, results and files."""
