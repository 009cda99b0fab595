"""From a problem and implementations to a verdict: recording, replay."""
