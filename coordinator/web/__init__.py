"""Pages for people: templates, a style sheet, and the headers that keep browsers to both."""
