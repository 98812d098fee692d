# The image of `stream-detector`, every command of it. What runs with what is in docker-compose.yml.

FROM python:3.13-slim AS base

FROM base AS requirements
COPY pyproject.toml .
RUN python -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; print(*project["dependencies"], *project["optional-dependencies"]["registry"], sep="\n")' > requirements.txt

FROM base AS dependencies
RUN apt-get update \
 && apt-get install --yes --no-install-recommends binutils \
 && rm -rf /var/lib/apt/lists/*
# pip stays outside of the environment that is handed on.
RUN python -m venv --without-pip /opt/venv
WORKDIR /src
# Installed again when these change, and not with the rest of pyproject.toml.
COPY --from=requirements requirements.txt ./
COPY constraints.txt ./
RUN --mount=type=cache,target=/var/cache/pip \
    python -m pip --cache-dir /var/cache/pip --python /opt/venv install --requirement requirements.txt --constraint constraints.txt \
    # Nothing here compiles against TensorFlow or Arrow, parses C, runs their tests, or reads a symbol table.
 && cd /opt/venv/lib/python3*/site-packages \
 && rm -rf tensorflow/include pyarrow/include clang \
 && find matplotlib numpy pyarrow scipy -type d -name tests -prune -exec rm -rf {} + \
 && strip --strip-unneeded tensorflow/libtensorflow_*.so.*

# Our code is a layer of its own: a change of it neither installs nor copies TensorFlow again.
FROM dependencies AS build
COPY . .
RUN --mount=type=cache,target=/var/cache/pip \
    python -m pip --cache-dir /var/cache/pip --python /opt/venv install --no-deps --prefix /opt/stream-detector .

FROM base
# Models are kept in /models; a volume that is new gets the owner of this directory. The home is where libraries may write
# caches: with a read-only root file system, /tmp is what there is.
RUN groupadd --gid 10001 detector \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin detector \
 && install --directory --owner 10001 --group 10001 /models
COPY --from=dependencies /opt/venv /opt/venv
COPY --from=build /opt/stream-detector /opt/venv
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="stream-detector" \
      org.opencontainers.image.description="Finds anomalies in a Kafka topic of sensor readings and publishes them, with the features and time steps that caused them." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /tmp
EXPOSE 8080
STOPSIGNAL SIGTERM
# Alive, not ready: what restarts unhealthy containers must not do so because Kafka is away.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ.get('STREAM_DETECTOR_HTTP__PORT', '8080') + '/healthz', timeout=4)"]
ENTRYPOINT ["stream-detector"]
CMD ["run"]
