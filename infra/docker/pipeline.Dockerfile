# The pipeline, for every node of a run in the cloud. Targets: pipeline, pipeline-gpu (CUDA from NVIDIA's own wheels) and
# dataflow (Beam's workers).
ARG PYTHON_IMAGE=python:3.11.14-slim-trixie
ARG BEAM_IMAGE=apache/beam_python3.11_sdk:2.77.0

# checkov:skip=CKV_DOCKER_7: the ARGs above name exact tags, and images.env digests; the rule does not look into ARGs
FROM ${PYTHON_IMAGE} AS wheel
COPY . /source
RUN /source/infra/docker/install-wheel.sh /source /source/infra/docker/locks/build.lock /wheels

FROM ${PYTHON_IMAGE} AS install
COPY infra/docker/install-environment.sh /install/
COPY infra/docker/locks/ /install/locks/
COPY --from=wheel /wheels /wheels

FROM install AS install-cpu
RUN /install/install-environment.sh /opt/roadworthy /install/locks/pipeline.lock /wheels \
      google-apitools kfp-server-api rouge-score

FROM install AS install-gpu
RUN /install/install-environment.sh /opt/roadworthy /install/locks/pipeline-gpu.lock /wheels \
      google-apitools kfp-server-api rouge-score

FROM ${BEAM_IMAGE} AS beam

FROM ${PYTHON_IMAGE} AS base
ARG PYTHON_IMAGE
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="Roadworthy pipeline" \
      org.opencontainers.image.description="Ingests, trains, compresses, scores, gates and pushes." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="docker.io/library/${PYTHON_IMAGE}" \
      dev.roadworthy.sbom.spdx="attached as an attestation: docker buildx imagetools inspect --format '{{json .SBOM}}'"
COPY --chmod=555 infra/docker/install-user.sh /usr/local/lib/roadworthy/
RUN /usr/local/lib/roadworthy/install-user.sh
ENV PATH=/opt/roadworthy/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp
# Kubeflow and Vertex give each container its own command line.
ENTRYPOINT ["roadworthy"]
CMD ["--help"]
# A node is a job: it is healthy as long as its interpreter can be started.
HEALTHCHECK --interval=60s --timeout=30s CMD ["python3.11", "-I", "-c", ""]

FROM base AS pipeline
COPY --from=install-cpu /opt/roadworthy /opt/roadworthy
USER 10001:10001

FROM base AS pipeline-gpu
COPY --from=install-gpu /opt/roadworthy /opt/roadworthy
# What NVIDIA's container runtime puts into the container beside the driver.
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 10001:10001

FROM pipeline AS dataflow
COPY --from=beam /opt/apache/beam /opt/apache/beam
ENTRYPOINT ["/opt/apache/beam/boot"]
CMD []
