"""The only room that knows paths: where results live, what they are called, who may write them."""

from glam.store.errors import IntegrityError, StoreError
from glam.store.folder import Folder, FolderReference, Store
from glam.store.identity import fingerprint, library_versions

__all__ = [
    "Folder",
    "FolderReference",
    "IntegrityError",
    "Store",
    "StoreError",
    "fingerprint",
    "library_versions",
]
