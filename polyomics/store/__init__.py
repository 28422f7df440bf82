"""Results at rest: the object store, commit markers, schemas, the catalog and SQL; it knows no chemistry."""
