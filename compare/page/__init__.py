"""The page: one HTML file that shows, explains and recomputes a comparison."""
