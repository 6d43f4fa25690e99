FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1

# Outgoing HTTPS needs the certificates that the base image brings; without them the build ends here, not the first call.
RUN test -s /etc/ssl/certs/ca-certificates.crt

WORKDIR /app

COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt

# What must not come along stands in .dockerignore.
COPY . .

# The code is read-only to whom it runs as, so it is compiled here. A volume at /data belongs to them, as it is here.
RUN python -m compileall -q main_http.py mcp_server && useradd --system --uid 10001 --no-create-home app \
    && install -d -o 10001 -m 700 /data
USER 10001

EXPOSE 8000

# For `python main_http.py`, which a platform that gives a PORT starts instead of the command below.
ENV HOST=0.0.0.0

# For uvicorn's own command: connections that are only held keep nobody out, and a call that hangs delays no stop.
ENV UVICORN_HTTP=mcp_server.connections:Connection UVICORN_LIMIT_CONCURRENCY=1000 UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN=8

HEALTHCHECK --interval=30s --timeout=10s --start-period=40s --retries=3 \
    CMD python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:${PORT:-8000}/health', timeout=9)"

CMD ["uvicorn", "main_http:app", "--host", "0.0.0.0", "--port", "8000"]
