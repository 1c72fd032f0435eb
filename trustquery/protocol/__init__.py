"""The protocol between node and coordinator: messages and cores, bytes and time in, effects out."""
