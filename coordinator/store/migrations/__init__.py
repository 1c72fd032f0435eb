"""The steps that bring a database to today's tables, and what is done with a database as it is found."""
