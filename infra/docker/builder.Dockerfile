# What cloudbuild.yaml runs make in: CPython 3.11, git and make of python.org's full image, and three programs beside them.
ARG BUILDER_IMAGE=python:3.11.14-trixie
ARG TERRAFORM_IMAGE=hashicorp/terraform:1.11.4
ARG COSIGN_IMAGE=ghcr.io/sigstore/cosign/cosign:v2.5.3
ARG DOCKER_IMAGE=docker:28.3.3-cli

# checkov:skip=CKV_DOCKER_7: the ARGs above name exact tags, and images.env digests; the rule does not look into ARGs
FROM ${TERRAFORM_IMAGE} AS terraform
FROM ${COSIGN_IMAGE} AS cosign
FROM ${DOCKER_IMAGE} AS docker

FROM ${BUILDER_IMAGE}
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="Roadworthy builder" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=terraform /bin/terraform /usr/local/bin/
COPY --from=cosign /ko-app/cosign /usr/local/bin/
COPY --from=docker /usr/local/bin/docker /usr/local/bin/
COPY --from=docker /usr/local/libexec/docker/cli-plugins/docker-buildx /usr/local/libexec/docker/cli-plugins/
HEALTHCHECK NONE
# Cloud Build hands it the workspace and Docker's socket, both root's.
# checkov:skip=CKV_DOCKER_3: a builder, which is never served: the workspace and Docker's socket that Cloud Build mounts are root's
# checkov:skip=CKV_DOCKER_2: a build step ends by itself, nobody asks after its health
ENTRYPOINT ["make"]
