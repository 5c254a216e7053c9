"""The training runtime of growlang."""
