"""Where the images of a run are assessed: on this machine, or on a cluster. One module for each place."""
