"""Two companies' contracts and registers over real exports, which lie beside the repository and are never copied in."""
