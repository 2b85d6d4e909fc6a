"""What footage says of a head: landmarks, parts, outlines, colours, gaps; each a term."""
