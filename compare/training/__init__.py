"""From a name to a run: problems, loading, the contract, recording, replay."""
