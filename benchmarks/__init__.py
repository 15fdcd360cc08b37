"""What networks must do: each folder a benchmark, its data and licence in its README."""
