"""What an operator asks a running process over HTTP: an API for programs under `/api`, and a page for people at `/`."""
