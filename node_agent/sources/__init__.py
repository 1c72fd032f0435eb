"""Local tables to prepared, ranked data: what a refresh reads, checks and stores."""
