"""Many images: what to assess, running it, keeping it, and reporting over it."""
