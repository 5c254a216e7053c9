"""What `growlang init` finds out before it writes: what the data holds, how long a step takes."""
