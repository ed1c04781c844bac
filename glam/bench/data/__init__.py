"""The data: rules, quality, near duplicates and packing, beside datatrove and fastText."""
