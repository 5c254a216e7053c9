"""What a spec can say: its model, its recipes, its selectors and its words."""
