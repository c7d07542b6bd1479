"""What the catalogers know of particular programs, as data."""
