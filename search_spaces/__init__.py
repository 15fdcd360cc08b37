"""What networks may be: each folder a search space, its idea and size in its README."""
