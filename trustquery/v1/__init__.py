"""Generated protobuf code; only ``trustquery.wire`` imports it."""
