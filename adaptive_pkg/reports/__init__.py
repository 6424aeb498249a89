"""Reports: what is printed and written for people to read."""
