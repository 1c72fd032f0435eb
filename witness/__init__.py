"""A stand-alone witness of logs: it signs a head only where it extends every head that it signed before."""
