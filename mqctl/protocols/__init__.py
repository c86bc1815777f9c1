"""Wire protocols without IO: bytes and meaning, with the clock passed in."""
