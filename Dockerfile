# The exporter on a plain Python image. Two stages on one base, so that what installs stays behind; neither needs a
# compiler. The base may be any image with Python 3.11 or newer and its venv module:
#   docker build --build-arg BASE=python:3.14-slim --build-arg REVISION="$(git rev-parse HEAD)" -t entra-mfa-exporter .
ARG BASE=python:3.14-slim

FROM ${BASE} AS build
RUN python3 -m venv /build
COPY requirements.lock /build/
RUN /build/bin/python -m pip --no-cache-dir --disable-pip-version-check install \
      --require-hashes --only-binary=:all: --no-compile --target=/opt/exporter --requirement=/build/requirements.lock
COPY LICENSE /opt/exporter/
COPY exporter /opt/exporter/exporter
# Compiled here, since nothing can be written at run time; by hash, so that the times of files do not matter.
RUN python3 -m compileall -q --invalidation-mode=unchecked-hash /opt/exporter && mkdir /reports

FROM ${BASE}
ARG VERSION=1.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="entra-mfa-exporter" \
      org.opencontainers.image.description="Prometheus exporter for the MFA registration reports of Microsoft Entra ID" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/exporter /opt/exporter
# For --storage.path: a new volume that is mounted here gets this owner.
COPY --from=build --chown=65532:65532 /reports /var/lib/entra-mfa-exporter
ENV PYTHONPATH=/opt/exporter \
    PYTHONSAFEPATH=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ENTRA_EXPORTER_BUILD_REVISION="${REVISION}"
WORKDIR /etc/entra-mfa-exporter
USER 65532:65532
EXPOSE 10088
# Plain HTTP on the port of ENTRA_EXPORTER_WEB_LISTEN_ADDRESS, or else on 10088. With TLS, run with a check of your own.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
  CMD ["python3", "-c", "import http.client, os; port = os.environ.get('ENTRA_EXPORTER_WEB_LISTEN_ADDRESS', ':10088').rpartition(':')[2]; exporter = http.client.HTTPConnection('127.0.0.1', int(port), timeout=4); exporter.request('GET', '/-/healthy'); raise SystemExit(exporter.getresponse().status != 200)"]
ENTRYPOINT ["python3", "-m", "exporter"]
