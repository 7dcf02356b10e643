"""What a page asks: widgets in, settings out."""
