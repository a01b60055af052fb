"""The composition root: the only place that names adapters. Its registries are the plug-in points."""
