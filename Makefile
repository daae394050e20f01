# Every target sets the machine up first; where that is done it costs nothing.
PYTHON_BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help setup demo browser check infra-check tf-plan tf-keep test bench-compress bench-serving bench-beam bench-bridge fuzz-serving test-beam \
  format lock test-containers golden docs clean tf-apply images images-pin images-push images-sign images-check manifests \
  deploy kubeflow release retrain promote

help: ## Lists the targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{ printf "  make %-14s %s\n", $$1, $$2 }'

setup: ## Makes .venv from requirements.lock; nothing outside the checkout changes.
	@infra/setup.sh

demo: setup ## The whole way on real images: data, training, compression, gate, push, serve, ask.
	@$(PYTHON_BIN)/python examples/demo.py

check: setup ## Format, lint, layers, types of the installed wheel, generated files.
	$(PYTHON_BIN)/ruff format --check .
	$(PYTHON_BIN)/ruff check .
	$(PYTHON_BIN)/lint-imports --no-cache
	infra/typecheck.sh

infra-check: setup ## Terraform, policies, drift of what is generated: every script of infra/check/.
	@infra/check.sh

tf-plan: ## What an apply would change in an environment; needs credentials. ENV=dev, staging or prod.
	@infra/plan.sh "$(ENV)"

tf-keep: setup ## Puts the plan of tf-plan beside the state and prints its sum; needs credentials. ENV=dev, staging or prod.
	@$(PYTHON_BIN)/python infra/plans.py keep "$(ENV)"

tf-apply: setup ## Applies the plan that tf-keep put away, and no other; needs credentials. ENV=dev, staging or prod. PLAN=its sum.
	@infra/apply.sh "$(ENV)" "$(PLAN)"

images: ## Builds the container images with Docker. IMAGES=server-litert for some of them.
	@infra/docker/images.sh build $(IMAGES)

images-check: setup ## Follows Dockerfiles in roots of Debian 13 and asks what they installed; root only. TARGETS="litert full pipeline pipeline-gpu"
	@[ "$$(id -u)" = 0 ] || { echo "images-check: must be run as root, who alone makes roots of Debian. Received: $$(id -un)." >&2; exit 2; }
	@command -v debootstrap >/dev/null || apt-get install -qq -y debootstrap >/dev/null
	$(PYTHON_BIN)/pytest -m images tests/infra/test_images.py tests/infra/test_compose.py

images-pin: ## Asks the registries for the digests of what images are made from and compose runs; writes them where the tags stand.
	@infra/docker/images.sh pin

images-push: ## Builds and pushes with bill of materials and provenance. REGISTRY=… VERSION=…
	@infra/docker/images.sh push $(IMAGES)

images-sign: ## Signs what images-push pushed, with cosign and without a key.
	@infra/docker/images.sh sign $(IMAGES)

manifests: ## Renders build/manifests/OVERLAY.yaml by the digests that were pushed. OVERLAY=cpu, gpu, canary or tf-serving.
	@infra/kubernetes/deploy.sh render $(OVERLAY)

deploy: ## Applies an overlay to a cluster and waits for it. OVERLAY=… REGISTRY=… PROJECT=… MODELS=gs://… CONTEXT=kubectl's, else its current one
	@infra/kubernetes/deploy.sh apply $(OVERLAY)

kubeflow: setup ## Installs Kubeflow Pipelines in a cluster; DRY_RUN=1 only renders. FROM=a folder of Terraform that was applied CONTEXT=as deploy
	@infra/kubernetes/kubeflow.sh $(FROM)

release: setup ## The wheel of a tag with checksums and a signature, as a release. VERSION=v1.2.3
	@infra/release.sh

retrain: setup ## Runs a config's pipeline on Vertex AI; its gate and its ramp decide what becomes of it. CONFIG=…
	$(PYTHON_BIN)/roadworthy run "$(CONFIG)" --on vertex

promote: setup ## Takes the challenger that a config deployed to all of the traffic. CONFIG=…
	$(PYTHON_BIN)/roadworthy promote "$(CONFIG)"

# Tests that look at no clock, or only to give up: the longest first, as they are dealt out file by file.
COMPUTE := $(addprefix tests/,e2e models components pipeline infra contracts docs) \
  $(addprefix tests/serving/,vertex rollout model_sync) $(wildcard tests/serving/servables/test_*.py tests/serving/test_*.py)

browser: ## Chromium and Poppler, with which tests look at the report; nothing where they are, and only told where nobody may install them.
	@infra/browser.sh

test: setup ## Every test, real servers and one small end-to-end run among them.
	@# What computes is spread over two processes; servers, whose tests look at the clock, have the machine to themselves.
	$(PYTHON_BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(COMPUTE)
	$(PYTHON_BIN)/pytest $(COMPUTE:%=--ignore=%)

bench-compress: setup ## Compression's claims on real data: a table, and runs/bench-compress/bench.json.
	@PYTHONPATH=tests $(PYTHON_BIN)/python -m bench.compress --fresh

bench-serving: setup ## Serving's claims on real servers: tables, and runs/bench-serving/bench.json. PARTS=… for some of it.
	@PYTHONPATH=tests $(PYTHON_BIN)/python -m bench.serving $(PARTS)

bench-beam: setup ## What more processes bring to the data nodes: a table, and runs/bench-beam/bench.json. PARTS=… for some of it.
	@PYTHONPATH=tests $(PYTHON_BIN)/python -m bench.beam $(PARTS)

bench-bridge: setup ## The large networks of keras.applications over the bridge, and that each has the layers of a small one in make test.
	$(PYTHON_BIN)/pytest -m large tests/models/bridge

test-beam: setup ## Ingest, statistics and batch prediction on Beam's runners with worker processes, some of them killed.
	$(PYTHON_BIN)/pytest -m beam tests/components/ingest/test_runners.py tests/pipeline/bulk

fuzz-serving: setup ## Ten thousand random requests over each transport at a real server; make test sends five hundred.
	$(PYTHON_BIN)/pytest -m fuzz tests/serving/faults

format: setup ## Formats and sorts.
	$(PYTHON_BIN)/ruff format .
	$(PYTHON_BIN)/ruff check --fix .

test-containers: setup ## The compiled pipeline executed as processes, here and in buckets; it must predict what one process predicts.
	$(PYTHON_BIN)/pytest -m containers tests/e2e/test_containers.py tests/e2e/test_buckets.py

golden: setup ## Writes the golden copies of the compiled pipeline again.
	$(PYTHON_BIN)/python tests/testdata/compiled/make.py

docs: setup ## Writes the generated files again: the config's JSON Schema, the protocol descriptors, what is made from infra/.
	$(PYTHON_BIN)/roadworthy schema > docs/config.schema.json
	@for script in tables diagram costs; do $(PYTHON_BIN)/python infra/generate/$$script.py; done
	$(PYTHON_BIN)/python infra/protos/build_descriptors.py

lock: ## Resolves every lock again: the checkout's, the checks', the images'.
	infra/lock.sh

clean: ## Removes what was built and run; keeps .venv and downloaded data.
	rm -rf build runs served .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
