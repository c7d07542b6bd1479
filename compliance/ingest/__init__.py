"""The only reader of disk and network: from a reference to an image and its merged file tree."""
