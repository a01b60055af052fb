"""One strict model per block of the configuration file; :class:`models.root.Settings` is the whole."""
