"""The neighbours: one folder of translation each, with no policy in it."""
