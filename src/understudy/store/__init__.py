"""All persistence and no decisions: the catalog (SQL), the objects (files), the lock, and what may be cleared away."""
