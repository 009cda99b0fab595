"""From a name to an implementation, in a process of its own."""
