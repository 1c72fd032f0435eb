"""Know before you spend: profiles, expected error, and the terms that make it smallest. Touches no data."""
