"""Resolution: from a `Document` to a `Spec` that holds literals only."""
