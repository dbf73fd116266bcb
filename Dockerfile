# syntax=docker/dockerfile:1

# Two images: `web` (the last stage, so the one that is built when no target is named) and `worker`, which measures.
# The same steps, without an engine for containers, are tests/project/test_wheel.py.

FROM python:3.11-slim-bookworm AS base
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

# ---- wheel: slmkg itself with the files that browsers need ----
FROM base AS wheel
WORKDIR /src
COPY requirements/build.txt requirements/build.txt
RUN python -m venv /build \
 && /build/bin/pip install --require-hashes --no-deps --requirement requirements/build.txt
COPY . .
RUN python scripts/setup/prepare.py browser \
 && test -s app/web/static/vendor/yasgui/build/yasgui.min.js
ARG SOURCE_DATE_EPOCH
RUN /build/bin/python -m hatchling build -t wheel -d /dist

# ---- environments: locked packages, and no program that could install more ----
FROM base AS web-environment
WORKDIR /src
COPY requirements/runtime.txt requirements/telemetry.txt requirements/
RUN python -m venv --without-pip /srv/slmkg \
 && pip --python /srv/slmkg/bin/python install --require-hashes --no-deps \
    --requirement requirements/runtime.txt --requirement requirements/telemetry.txt
COPY --from=wheel /dist /dist
RUN pip --python /srv/slmkg/bin/python install --no-deps --no-index /dist/*.whl

FROM base AS worker-environment
WORKDIR /src
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends build-essential \
 && rm -rf /var/lib/apt/lists/*
# llama.cpp is built for the processor of the machine that builds; CMAKE_ARGS=-DGGML_NATIVE=OFF makes it slower and portable
ARG CMAKE_ARGS=
COPY requirements/runtime.txt requirements/measure.txt requirements/
RUN python -m venv --without-pip /srv/slmkg \
 && pip --python /srv/slmkg/bin/python install --require-hashes --no-deps \
    --requirement requirements/runtime.txt --requirement requirements/measure.txt
COPY --from=wheel /dist /dist
RUN pip --python /srv/slmkg/bin/python install --no-deps --no-index /dist/*.whl

# ---- run: no compiler, no package manager of browsers, no root ----
FROM base AS run
RUN groupadd --system --gid 10001 slmkg \
 && useradd --system --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin slmkg \
 && install --directory --owner=slmkg --group=slmkg --mode=0750 /var/lib/slmkg
ENV PATH=/srv/slmkg/bin:$PATH \
    HOME=/tmp \
    SLMKG_DATA_DIR=/var/lib/slmkg
WORKDIR /var/lib/slmkg
VOLUME /var/lib/slmkg

FROM run AS worker
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=worker-environment /srv/slmkg /srv/slmkg
USER 10001:10001
HEALTHCHECK NONE
CMD ["slmkg", "worker", "http://slmkg:8000"]

FROM run AS web
COPY --from=web-environment /srv/slmkg /srv/slmkg
ENV SLMKG_HOST=0.0.0.0 \
    SLMKG_PORT=8000
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=180s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['SLMKG_PORT'] + '/livez', timeout=4)"]
CMD ["slmkg", "serve"]
