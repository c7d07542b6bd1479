"""The migrations of a fleet store's database, which opening it runs."""
