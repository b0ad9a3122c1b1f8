"""Puts the generated reference into the documentation while MkDocs builds it."""

from __future__ import annotations

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from orchestration.reference import pages


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add one generated page for each part of the reference."""
    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files
