"""Models that classify images: their objective and how well they do."""
