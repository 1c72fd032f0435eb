"""Projects from application to close-down: the documents, the questions, the life, and what people read of them."""
