"""What is in an image: catalogers find packages, the inventory merges and relates them."""
