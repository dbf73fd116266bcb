# syntax=docker/dockerfile:1

# ---- build: locked packages, the files that browsers need, and slmkg itself, in one virtual environment ----
FROM python:3.11-slim AS build
WORKDIR /src
COPY requirements requirements
RUN python -m venv /srv/slmkg \
 && /srv/slmkg/bin/pip install --no-cache-dir --require-hashes --no-deps \
    --requirement requirements/runtime.txt --requirement requirements/build.txt
COPY . .
RUN python scripts/setup/prepare.py browser \
 && /srv/slmkg/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

# ---- run: no compiler, no package manager of browsers, no root ----
FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin slmkg \
 && install --directory --owner=slmkg --mode=0750 /var/lib/slmkg
COPY --from=build /srv/slmkg /srv/slmkg
ENV PATH=/srv/slmkg/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SLMKG_HOST=0.0.0.0 \
    SLMKG_PORT=8000 \
    SLMKG_DATA_DIR=/var/lib/slmkg
USER 10001
VOLUME /var/lib/slmkg
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['SLMKG_PORT'] + '/livez', timeout=4)"]
CMD ["slmkg", "serve"]
