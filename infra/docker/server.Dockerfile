# The model server. Targets: litert (LiteRT alone, without TensorFlow) and full (SavedModels too).
ARG PYTHON_IMAGE=python:3.11.14-slim-trixie

# checkov:skip=CKV_DOCKER_7: the ARGs above name exact tags, and images.env digests; the rule does not look into ARGs
FROM ${PYTHON_IMAGE} AS wheel
COPY . /source
RUN /source/infra/docker/install-wheel.sh /source /source/infra/docker/locks/build.lock /wheels

FROM ${PYTHON_IMAGE} AS install
COPY infra/docker/install-environment.sh /install/
COPY infra/docker/locks/ /install/locks/
COPY --from=wheel /wheels /wheels

FROM install AS install-litert
RUN /install/install-environment.sh /opt/roadworthy /install/locks/server-litert.lock /wheels

FROM install AS install-full
RUN /install/install-environment.sh /opt/roadworthy /install/locks/server.lock /wheels

FROM ${PYTHON_IMAGE} AS server
ARG PYTHON_IMAGE
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="Roadworthy model server" \
      org.opencontainers.image.description="Serves LiteRT models and SavedModels as TensorFlow Serving does." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="docker.io/library/${PYTHON_IMAGE}" \
      dev.roadworthy.sbom.spdx="attached as an attestation: docker buildx imagetools inspect --format '{{json .SBOM}}'"
COPY --chmod=555 infra/docker/install-user.sh infra/docker/healthcheck.py /usr/local/lib/roadworthy/
RUN /usr/local/lib/roadworthy/install-user.sh
COPY infra/docker/config/ /config/
ENV PATH=/opt/roadworthy/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp
EXPOSE 8500 8501
# Nothing is written but to /tmp: run it with a read-only root and a tmpfs there. Loopback of a container reaches nobody,
# so it listens on all of its addresses; what is in front of it encrypts, or --tls_cert and --tls_key are given.
ENTRYPOINT ["roadworthy-model-server"]
CMD ["--host=0.0.0.0", "--insecure", "--port=8500", "--rest_api_port=8501", \
     "--model_config_file=/config/models.config", "--model_config_file_poll_wait_seconds=30", \
     "--monitoring_config_file=/config/monitoring.config", "--enable_grpc_healthcheck_service", "--access_log"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python3.11", "-I", "/usr/local/lib/roadworthy/healthcheck.py"]
STOPSIGNAL SIGTERM

FROM server AS litert
COPY --from=install-litert /opt/roadworthy /opt/roadworthy
USER 10001:10001

FROM server AS full
COPY --from=install-full /opt/roadworthy /opt/roadworthy
USER 10001:10001
