"""What a broker really does, found out by doing it."""
