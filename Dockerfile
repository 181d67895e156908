# The mirror's worker, from locked packages that are checked against their hashes.
FROM python:3.12.14-slim-bookworm AS build
WORKDIR /src
COPY requirements-worker.lock requirements-build.lock ./
RUN python -m venv --without-pip /opt/cassmirror \
    && pip --python /opt/cassmirror/bin/python install --quiet --no-cache-dir --no-deps --only-binary :all: \
        --require-hashes --requirement requirements-worker.lock
# What builds the project, a C compiler among it, stays here.
RUN pip install --quiet --no-cache-dir --no-deps --only-binary :all: --require-hashes --requirement requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY cdc cdc
COPY runtime runtime
COPY operators operators
COPY sinks sinks
COPY dataflows dataflows
RUN CC="python -m ziglang cc" pip wheel --quiet --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && pip --python /opt/cassmirror/bin/python install --quiet --no-cache-dir --no-deps --no-index /wheels/cassmirror-*.whl

FROM python:3.12.14-slim-bookworm
ENV PATH=/opt/cassmirror/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CDC_HTTP__HOST=0.0.0.0 \
    CDC_RECOVERY__DIRECTORY=/var/lib/cassmirror/recovery
RUN groupadd --gid 10001 cassmirror \
    && useradd --uid 10001 --gid cassmirror --no-log-init --create-home --home-dir /var/lib/cassmirror cassmirror
COPY --from=build /opt/cassmirror /opt/cassmirror
USER 10001:10001
WORKDIR /var/lib/cassmirror
VOLUME /var/lib/cassmirror
EXPOSE 8000
# Live, not ready: a worker that waits for a server mends nothing by starting anew.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:%s/health/live' % os.environ.get('CDC_HTTP__PORT', 8000), timeout=4)"]
ENTRYPOINT ["cassmirror"]
CMD ["run"]
