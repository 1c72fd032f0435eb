"""How long pages take where a federation has a long past: a thousand projects, a hundred thousand questions."""
