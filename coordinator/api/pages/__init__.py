"""Pages of people who are signed in, and the files that every page loads."""
