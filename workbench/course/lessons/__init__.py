"""The exercises, a module for each lesson: the listing of this folder is the list of families."""
