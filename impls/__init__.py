"""One network, written three times, behind one contract: see `impls.interface`."""
