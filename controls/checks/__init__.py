"""One check a file, named as its id: what it looks at, what a pass proves, and the question itself."""
