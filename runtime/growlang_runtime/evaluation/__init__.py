"""What generated images are worth: metrics, each with the protocol that it was measured by."""
