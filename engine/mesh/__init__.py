"""Operations on meshes."""
