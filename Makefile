# Development commands. `make` lists them.
#
# GOFLAGS and the other variables of the go command are passed through.

# The go command.
GO ?= go
# More flags for every go test, e.g. TESTFLAGS='-run TestStart -v'.
TESTFLAGS ?=
# The packages for unit, race, vet and benchmarks.
PKGS ?= ./...
# The modules for lint, e.g. LINT_MODULES='. test/e2e'.
LINT_MODULES ?= . cmd/kontinue otelkontinue test/otel tools/release tools/site
# The recipes, each of which is a module.
RECIPES ?= recipes/controller-runtime recipes/river recipes/temporal recipes/kueue
# More flags for golangci-lint run, e.g. LINTFLAGS=--fix.
LINTFLAGS ?=
# How long each benchmark runs, or how many iterations, e.g. 100x.
BENCHTIME ?= 1s
# How many times each benchmark runs.
BENCHCOUNT ?= 1
# How long each fuzz target runs.
FUZZTIME ?= 10s
# The number of workers that durability kills.
KILLS ?= 300
# The number of seeds that faults and simulate run.
SEEDS ?= 100
# The version that release prepares, e.g. v0.1.0-rc.1.
VERSION ?=
# The number of lines that follow writes.
LINES ?= 1000000
# Flags for the comparison of bench, e.g. BENCHFLAGS='-runs 1 -n 100,1000'.
BENCHFLAGS ?= -record
# More flags for cluster-up, e.g. CLUSTERFLAGS=-control-plane-only.
CLUSTERFLAGS ?=
# The Kubernetes version for what runs a real one, e.g. K8S=v1.35.4. Default: the pinned one.
K8S ?=
ifneq ($(K8S),)
export KONTINUE_CLUSTER_VERSION = $(K8S)
endif

# The linter is built from source, with the version in tools/go.mod. A linter built
# with an older Go rejects newer code, so the file name contains both versions.
LINT_VERSION = $(shell awk '$$1 == "github.com/golangci/golangci-lint/v2" { print $$2 }' tools/go.mod)
LINT = bin/golangci-lint-$(LINT_VERSION)-$(shell $(GO) env GOVERSION)

# The target commits checks the commits after this one.
COMMITS_BASE = 62fc1d404e03

.DEFAULT_GOAL := help
.SUFFIXES:
.DELETE_ON_ERROR:

.PHONY: help
help: ## list the targets and variables
	@echo 'targets:'
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo 'variables (make NAME=value target):'
	@awk '/^# / { doc = doc substr($$0, 2); next } \
		/^[A-Z0-9_]+ \?=/ { name = $$1; sub(/^[A-Z0-9_]+ \?= */, ""); printf "  %-15s%s (%s)\n", name, doc, $$0 } { doc = "" }' \
		$(firstword $(MAKEFILE_LIST))

.PHONY: test
test: tidy-check vet lint lint-selftest api race sweeps cli tools scale ## everything that a change must pass: tidy, vet, lint, API budget, and all tests with -race

.PHONY: unit
unit: ## unit tests and examples without the race detector, for a quick check
	$(GO) test $(TESTFLAGS) $(PKGS)

# The collector takes a seventh of the CPU of these; they get memory instead.
race sweeps scale: export GOGC ?= 400

.PHONY: race
race: ## unit tests and examples with the race detector (needs cgo and a C compiler)
	CGO_ENABLED=1 $(GO) test -race $(TESTFLAGS) $(PKGS)

.PHONY: cli
cli: ## vet and tests of the command kontinue, with the race detector
	$(GO) -C cmd/kontinue vet ./...
	CGO_ENABLED=1 $(GO) -C cmd/kontinue test -race $(TESTFLAGS) ./...

.PHONY: tools
tools: ## vet and tests of the tools that prepare a release and build the site
	$(GO) -C tools/release vet ./...
	$(GO) -C tools/release test $(TESTFLAGS) ./...
	$(GO) -C tools/site vet ./...
	$(GO) -C tools/site test $(TESTFLAGS) ./...

.PHONY: otel
otel: ## vet and tests of otelkontinue, its dashboard and its alerts (builds a part of Prometheus, minutes)
	$(GO) -C otelkontinue vet ./...
	$(GO) -C otelkontinue test $(TESTFLAGS) ./...
	$(GO) -C test/otel vet ./...
	$(GO) -C test/otel test $(TESTFLAGS) ./...

.PHONY: docs
docs: ## tests of the documentation: code, manifests, links and the static site; make e2e runs its commands
	$(GO) test $(TESTFLAGS) ./internal/docs
	$(GO) -C tools/site test $(TESTFLAGS) ./...

.PHONY: site
site: ## build the documentation as static pages in site/, which a browser opens as files
	$(GO) -C tools/site run . -root "$(CURDIR)" -out "$(CURDIR)/site"

.PHONY: recipes
recipes: ## vet and tests of the recipes, which need river, controller-runtime and Temporal (minutes the first time)
	@set -e; for m in $(RECIPES); do \
		echo "go vet and test in $$m"; \
		$(GO) -C $$m vet ./...; \
		$(GO) -C $$m test $(TESTFLAGS) ./...; \
	done

# The tests that have fewer cases under the race detector.
SWEEPS := EveryInterleaving|RandomJobs|SleepsForEver|Killed|TwoWorkersResume|ChildPolicies

.PHONY: sweeps
sweeps: ## all cases of the sweeps over orders of requests and points in time, of which make race runs a part
	$(GO) test -run '$(SWEEPS)' $(TESTFLAGS) ./jobs ./pods ./internal/step ./internal/simtest/durability ./internal/simtest/retries

.PHONY: scale
scale: ## 10,000 concurrent steps in one process, without the race detector, which is limited to 8,128 goroutines; and a log of 20,000 lines through killed workers
	$(GO) test -count=1 -timeout 30m -v ./internal/simtest/scale
	$(GO) -C test/chaos test -count=1 -timeout 10m ./follow

.PHONY: simulate
simulate: ## run SEEDS plans of random faults in virtual time, in slices of 250 (SEEDS=10000 takes about an hour; see docs/simulation.md)
	$(GO) test -c -o bin/simulate.test ./internal/simtest/simulate
	@cd internal/simtest/simulate && for first in $$(seq 1 250 $(SEEDS)); do \
		last=$$((first + 249)); test $$last -le $(SEEDS) || last=$(SEEDS); \
		echo "seeds $$first to $$last"; \
		FIRST=$$first SEEDS=$$((last - first + 1)) "$(CURDIR)/bin/simulate.test" -test.run '^TestSeeds$$' -test.timeout 30m || exit 1; \
	done

.PHONY: simulate-faults
simulate-faults: ## put each known fault back and count the seeds until simulate finds it (at most an hour)
	GO="$(GO)" scripts/simulate-faults.sh

.PHONY: examples
examples: ## tests of the examples, including the quickstart's output
	$(GO) test $(TESTFLAGS) ./examples/...

.PHONY: vet
vet: ## go vet
	$(GO) vet $(PKGS)

.PHONY: lint
lint: lint-tool ## golangci-lint: bugs, house rules, import arrows, formatting
	@set -e; for m in $(LINT_MODULES); do \
		echo "golangci-lint run in $$m"; \
		(cd $$m && "$(CURDIR)/$(LINT)" run --config "$(CURDIR)/.golangci.yml" $(LINTFLAGS) ./...); \
	done

.PHONY: lint-selftest
lint-selftest: lint-tool ## check that lint reports a violation of each house rule
	scripts/lint-selftest.sh "$(CURDIR)/$(LINT)" "$(CURDIR)/.golangci.yml"

.PHONY: lint-tool
lint-tool: ## build golangci-lint into bin/, once per version (minutes)
	@test -x $(LINT) || { \
		echo "building $(LINT) from source"; \
		$(GO) -C tools build -ldflags='-s -w' -o "$(CURDIR)/$(LINT)" github.com/golangci/golangci-lint/v2/cmd/golangci-lint; \
	}

.PHONY: commits
commits: ## check that each new commit has a short subject and a body
	@scripts/commits-selftest.sh
	@scripts/commits.sh $(COMMITS_BASE)

.PHONY: fmt
fmt: lint-tool ## format the code
	$(LINT) fmt --config .golangci.yml

.PHONY: api
api: bin/release ## table of exported names; fails if a package exceeds its budget, or if api/ does not have the public API as it is
	@$(GO) run ./internal/lint/api
	@bin/release api
	@bin/release diff

.PHONY: api-update
api-update: bin/release ## write the public API into api/
	@bin/release api -update

.PHONY: release
release: bin/release ## prepare the release VERSION: check it, build and install it as a user would, tag it; pushes nothing
	@bin/release prepare $(VERSION)

.PHONY: release-notes
release-notes: bin/release ## print the notes of the release VERSION, from CHANGELOG.md
	@bin/release notes $(VERSION)

bin/release: FORCE
	@$(GO) -C tools/release build -o "$(CURDIR)/$@" .

.PHONY: tidy
tidy: ## go mod tidy in the modules that make test checks
	$(GO) mod tidy
	$(GO) -C cmd/kontinue mod tidy
	$(GO) -C otelkontinue mod tidy
	$(GO) -C test/otel mod tidy
	$(GO) -C tools mod tidy
	$(GO) -C tools/release mod tidy
	$(GO) -C tools/site mod tidy

.PHONY: tidy-check
tidy-check: ## fail if go.mod or go.sum would change by make tidy
	@for m in . cmd/kontinue otelkontinue test/otel tools tools/release tools/site; do \
		$(GO) -C $$m mod tidy -diff || { echo "go.mod or go.sum in $$m is not tidy: run make tidy" >&2; exit 1; }; \
	done

.PHONY: cover
cover: ## coverage of all packages by all tests, in cover.out and as a table
	$(GO) test -coverpkg=./... -coverprofile=cover.out $(TESTFLAGS) $(PKGS)
	@scripts/cover.sh cover.out

.PHONY: microbench
microbench: ## benchmarks of the packages, with allocations
	$(GO) test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) -count $(BENCHCOUNT) $(TESTFLAGS) $(PKGS)

.PHONY: bench
bench: cluster-build ## compare ways to wait for Jobs on a real control plane, and update docs/benchmarks (root; more than an hour)
	$(GO) -C test/bench run ./driver $(BENCHFLAGS)

.PHONY: bench-smoke
bench-smoke: cluster-build ## run each benchmark once, and the comparison at a small scale (root)
	$(GO) test -run '^$$' -bench . -benchtime 1x $(TESTFLAGS) $(PKGS)
	$(GO) -C test/bench test -count=1 -timeout 30m ./...

.PHONY: fuzz-smoke
fuzz-smoke: ## run each fuzz target for FUZZTIME (make test runs the seeds)
	GO="$(GO)" scripts/fuzz-smoke.sh $(FUZZTIME)

bin/kontinue-cluster: FORCE
	$(GO) -C test/cluster build -o "$(CURDIR)/$@" ./cmd/kontinue-cluster

.PHONY: FORCE
FORCE:

.PHONY: cluster-build
cluster-build: bin/kontinue-cluster ## build the programs of a real Kubernetes (root; about 20 minutes the first time)
	bin/kontinue-cluster build

.PHONY: cluster-up
cluster-up: cluster-build ## start a real Kubernetes on this machine (root)
	bin/kontinue-cluster up $(CLUSTERFLAGS)

.PHONY: cluster-down
cluster-down: bin/kontinue-cluster ## stop that Kubernetes and remove its files
	bin/kontinue-cluster down

.PHONY: e2e
e2e: ## run the scenarios and kubectl on a real Kubernetes, on this machine or that of KUBECONFIG; with K8S the scenarios alone
	$(if $(KUBECONFIG),,$(MAKE) cluster-build)
	$(GO) -C test/e2e test -count=1 -p 1 -timeout 30m $(TESTFLAGS) $(if $(K8S),.,./...)

.PHONY: versions
versions: ## run e2e on the version K8S and record the result in docs/versions.md (root; the first time of a version builds it, which takes about 20 minutes)
	KONTINUE_UPDATE_VERSIONS=1 $(MAKE) e2e

.PHONY: faults
faults: cluster-build ## run steps on a real control plane through storms of network faults (root; minutes)
	$(GO) -C test/chaos run ./driver storm -seeds $(SEEDS)

.PHONY: durability
durability: cluster-build ## kill workers at any instruction on a real control plane, also with two attempts at once, and check that no result is lost and no step runs twice (root; minutes)
	$(GO) -C test/chaos run ./driver kill -kills $(KILLS)

.PHONY: follow
follow: ## write a log of LINES lines through cut streams and three killed workers, and count the lines lost or doubled and the memory (a million takes minutes)
	$(GO) -C test/chaos run ./driver follow -lines $(LINES)
