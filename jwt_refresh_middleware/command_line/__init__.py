"""What ``python -m jwt_refresh_middleware`` can do: a module for each noun. Only here typer and rich are imported."""
