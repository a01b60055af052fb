"""One vendor, or one piece of the machine, per module; each implements a port and adds no rules."""
