"""What a page shows: pictures, tables, charts."""
