"""What a trust tells its board and its patients: facts in, text out. Nothing here opens a file."""
