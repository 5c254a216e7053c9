"""`growlang grow`: a checkpoint on the disk becomes that of the child, tensor by tensor."""
