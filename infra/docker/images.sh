#!/usr/bin/env bash
# Builds, pushes and signs the images; images.env says what they are made from.
#
#   images.sh list             their names
#   images.sh build [NAME…]    into the local Docker, all of them or these
#   images.sh pin              asks the registries for the digests of images.env's tags, and of compose.yaml's, and writes TAG@DIGEST there
#   images.sh push [NAME…]     builds for $REGISTRY with bill of materials and provenance; digests go to build/images/.
#                              Has gcloud sign Docker in to Artifact Registry, which stays in Docker's own config
#   images.sh sign [NAME…]     signs what was pushed with cosign, without a key (Sigstore's certificate for the workload)
#
# REGISTRY and VERSION come from the environment; DRY_RUN=1 prints the commands in place of running them.
set -euo pipefail
cd "$(dirname "$0")/../.."

say() { printf 'images: %s\n' "$@" >&2; }
stop() {
  say "$@"
  exit 2
}
run() { if [ "${DRY_RUN:-}" = 1 ]; then printf '%q ' "$@" && echo; else "$@"; fi; }
need() { # PROGRAM WHY
  [ "${DRY_RUN:-}" = 1 ] || command -v "${1%% *}" >/dev/null && { [ "${DRY_RUN:-}" = 1 ] || $1 version >/dev/null 2>&1; } ||
    stop "$2 needs $1 on PATH. Received: none that answers."
}

# name, Dockerfile, target (- is the last), what else differs
table() {
  cat <<'TABLE'
server-litert server litert
server server full
tf-serving tf-serving -
tf-serving-gpu tf-serving - TF_SERVING_IMAGE=TF_SERVING_GPU_IMAGE
pipeline pipeline pipeline
pipeline-gpu pipeline pipeline-gpu
dataflow pipeline dataflow
builder builder -
TABLE
}

names() { table | cut -d' ' -f1; }

build_one() { # NAME ARGUMENT…
  local name=$1 file target other variable
  read -r _ file target other < <(table | grep "^$name ") || true
  [ -n "${file:-}" ] || stop "An image must be one of: $(names | xargs). Received: $name."
  shift
  local arguments=(--file "infra/docker/$file.Dockerfile" --tag "$REGISTRY/$name:$VERSION")
  [ "$target" = - ] || arguments+=(--target "$target")
  while IFS='=' read -r variable _; do
    if grep -q "^ARG $variable=" "infra/docker/$file.Dockerfile"; then
      [ "${other%%=*}" != "$variable" ] && arguments+=(--build-arg "$variable=${!variable}") ||
        { local from=${other#*=} && arguments+=(--build-arg "$variable=${!from}"); }
    fi
  done < <(grep '^[A-Z_]*=' infra/docker/images.env)
  arguments+=(--build-arg "VERSION=$VERSION" --build-arg "REVISION=$(git rev-parse HEAD)"
    --build-arg "CREATED=$(git show -s --format=%cI HEAD)")
  run docker buildx build "${arguments[@]}" "$@" .
}

build() {
  need "docker buildx" "Building images"
  for name; do build_one "$name" --load; done
}

# Artifact Registry takes gcloud's word for who pushes; without gcloud, as in Cloud Build, Docker must be signed in already.
sign_in() {
  [[ $REGISTRY != *-docker.pkg.dev/* ]] || ! command -v gcloud >/dev/null ||
    run gcloud auth configure-docker --quiet "${REGISTRY%%/*}"
}

push() {
  need "docker buildx" "Pushing images"
  sign_in
  mkdir -p build/images
  for name; do
    build_one "$name" --push --sbom=true --provenance=mode=max --metadata-file "build/images/$name.json"
  done
}

digest() { # NAME: of what was pushed
  local file=build/images/$1.json
  [ -f "$file" ] || stop "$1 must have been pushed. Received: no $file. Run: make images-push"
  sed -n 's/.*"containerimage.digest": *"\(sha256:[0-9a-f]\{64\}\)".*/\1/p' "$file" | grep . ||
    stop "$file must name containerimage.digest. Received: none. Push again."
}

sign() {
  need cosign "Signing images"
  local found
  for name; do
    found=$(digest "$name")
    run cosign sign --yes "$REGISTRY/$name@$found"
  done
}

pin() {
  need "docker buildx" "Asking a registry for digests"
  local file image found
  local -A pinned=()
  for file in infra/docker/images.env infra/compose/compose.yaml; do
    while IFS= read -r image; do
      found=$(docker buildx imagetools inspect "$image" --format '{{.Manifest.Digest}}') ||
        stop "$image must be in its registry. Received: no digest for it, which $file names."
      pinned[$file]+="s|\\([= ]\\)$image\\(@sha256:[0-9a-f]*\\)\\?\$|\\1$image@$found|;"
    done < <(named "$file")
  done
  # Both or none: a registry that does not answer leaves nothing half pinned.
  for file in "${!pinned[@]}"; do
    sed -i "${pinned[$file]}" "$file"
    say "$file names digests now"
  done
}

named() { # FILE: the images of VARIABLE=IMAGE and image: IMAGE, without digests, save those that are made here
  sed -nE 's/^([A-Z_]+=| +image: )([^@$]+)(@.*)?$/\2/p' "$1"
}

command=${1:-}
[ $# = 0 ] || shift
# shellcheck source=infra/docker/images.env
source infra/docker/images.env
REGISTRY=${REGISTRY:-europe-west4-docker.pkg.dev/roadworthy-dev/roadworthy}
VERSION=${VERSION:-$(git rev-parse --short HEAD)}
[ $# -gt 0 ] || mapfile -t all < <(names)
case "$command" in
  list) names ;;
  build | push | sign) "$command" "${@:-${all[@]}}" ;;
  pin) pin ;;
  *) stop "The first word must be list, build, pin, push or sign. Received: ${command:-nothing}. See the head of $0." ;;
esac
