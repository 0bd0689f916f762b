"""The HTTP door: the twin behind an OpenAI-compatible API. FastAPI and uvicorn are imported here only."""
