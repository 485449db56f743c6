"""Looking at a run: pictures and codes, from files and into files, any number of them."""
