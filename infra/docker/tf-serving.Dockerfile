# TensorFlow Serving with our config. The same file for CPU and GPU: --build-arg TF_SERVING_IMAGE=tensorflow/serving:2.19.1-gpu
ARG TF_SERVING_IMAGE=tensorflow/serving:2.19.1

# checkov:skip=CKV_DOCKER_7: the ARGs above name exact tags, and images.env digests; the rule does not look into ARGs
FROM ${TF_SERVING_IMAGE}
ARG TF_SERVING_IMAGE
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="TensorFlow Serving with Roadworthy's config" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="docker.io/${TF_SERVING_IMAGE}" \
      dev.roadworthy.sbom.spdx="attached as an attestation: docker buildx imagetools inspect --format '{{json .SBOM}}'"
COPY --chmod=555 infra/docker/install-user.sh /usr/local/lib/roadworthy/
RUN /usr/local/lib/roadworthy/install-user.sh
COPY infra/docker/config/ /config/
ENV HOME=/tmp
EXPOSE 8500 8501
USER 10001:10001
# Not the image's own script, which serves one model of a fixed path.
ENTRYPOINT ["tensorflow_model_server"]
CMD ["--port=8500", "--rest_api_port=8501", "--model_config_file=/config/models.config", \
     "--model_config_file_poll_wait_seconds=30", "--monitoring_config_file=/config/monitoring.config", \
     "--enable_grpc_healthcheck_service"]
# There is no curl in it. Bash opens the connection itself; only a model that answers has metadata.
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8501 && printf 'GET /v1/models/fashion/metadata HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
STOPSIGNAL SIGTERM
