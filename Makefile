# Development commands of kontinue. `make` lists them.
#
# GOFLAGS and the other variables of the go command are passed through.

# The go command.
GO ?= go
# More flags for every go test, e.g. TESTFLAGS='-run TestStart -v'.
TESTFLAGS ?=
# The packages that test, race and bench take.
PKGS ?= ./...
# The modules that lint takes, e.g. LINT_MODULES='. test/e2e'.
LINT_MODULES ?= .
# More flags for golangci-lint run, e.g. LINTFLAGS=--fix.
LINTFLAGS ?=
# How long each benchmark runs, or how often with an x, e.g. 100x.
BENCHTIME ?= 1s
# How often each benchmark is repeated.
BENCHCOUNT ?= 1
# How long fuzz-smoke runs each fuzz target.
FUZZTIME ?= 10s
# How many workers durability kills.
KILLS ?= 300
# How many seeds faults runs.
SEEDS ?= 100
# Flags of the comparison in bench, e.g. BENCHFLAGS='-runs 1 -n 100,1000'.
BENCHFLAGS ?= -record
# More flags for cluster-up, e.g. CLUSTERFLAGS=-control-plane-only.
CLUSTERFLAGS ?=

# The linter is built from source, since it is one of the module's tools: its
# version stands in tools/go.mod. A linter built with an older Go refuses newer
# code, so the file's name carries both versions.
LINT_VERSION = $(shell awk '$$1 == "github.com/golangci/golangci-lint/v2" { print $$2 }' tools/go.mod)
LINT = bin/golangci-lint-$(LINT_VERSION)-$(shell $(GO) env GOVERSION)

# Only the commits after this one are held to the rule that commits checks.
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
		/^[A-Z_]+ \?=/ { name = $$1; sub(/^[A-Z_]+ \?= */, ""); printf "  %-15s%s (%s)\n", name, doc, $$0 } { doc = "" }' \
		$(firstword $(MAKEFILE_LIST))

.PHONY: test
test: tidy-check vet lint lint-selftest api race scale ## all that a change must pass: tidy, vet, lint, API budget, unit tests and examples with -race

.PHONY: unit
unit: ## unit tests and examples without the race detector: the quick round
	$(GO) test $(TESTFLAGS) $(PKGS)

.PHONY: race
race: ## unit tests and examples with the race detector (needs cgo and a C compiler)
	CGO_ENABLED=1 $(GO) test -race $(TESTFLAGS) $(PKGS)

.PHONY: scale
scale: ## 10,000 concurrent steps in one process, without the race detector, which allows no so many goroutines
	$(GO) test -count=1 -v ./internal/simtest/scale

.PHONY: examples
examples: ## the examples' own tests, which check the quickstart's output
	$(GO) test $(TESTFLAGS) ./examples/...

.PHONY: vet
vet: ## go vet
	$(GO) vet $(PKGS)

.PHONY: lint
lint: lint-tool ## golangci-lint with .golangci.yml: bugs, house rules, import arrows, formatting
	@set -e; for m in $(LINT_MODULES); do \
		echo "golangci-lint run in $$m"; \
		(cd $$m && "$(CURDIR)/$(LINT)" run --config "$(CURDIR)/.golangci.yml" $(LINTFLAGS) ./...); \
	done

.PHONY: lint-selftest
lint-selftest: lint-tool ## prove that each house rule is reported when it is broken
	scripts/lint-selftest.sh "$(CURDIR)/$(LINT)" "$(CURDIR)/.golangci.yml"

.PHONY: lint-tool
lint-tool: ## build golangci-lint into bin/ (once for each version; minutes)
	@test -x $(LINT) || { \
		echo "building $(LINT) from source, once"; \
		$(GO) -C tools build -ldflags='-s -w' -o "$(CURDIR)/$(LINT)" github.com/golangci/golangci-lint/v2/cmd/golangci-lint; \
	}

.PHONY: commits
commits: ## the messages of the commits after the one that the rule began with: a short subject, and a body
	@scripts/commits-selftest.sh
	@scripts/commits.sh $(COMMITS_BASE)

.PHONY: fmt
fmt: lint-tool ## format the code
	$(LINT) fmt --config .golangci.yml

.PHONY: api
api: ## the table of exported names, and whether they keep their budget
	@$(GO) run ./internal/lint/api

.PHONY: tidy
tidy: ## go mod tidy in the root module and in tools
	$(GO) mod tidy
	$(GO) -C tools mod tidy

.PHONY: tidy-check
tidy-check: ## fail if go.mod or go.sum would change by make tidy
	@for m in . tools; do \
		$(GO) -C $$m mod tidy -diff || { echo "go.mod or go.sum in $$m is not tidy: run make tidy" >&2; exit 1; }; \
	done

.PHONY: cover
cover: ## coverage of all packages by all tests: cover.out, and a table by package
	$(GO) test -coverpkg=./... -coverprofile=cover.out $(TESTFLAGS) $(PKGS)
	@scripts/cover.sh cover.out

.PHONY: microbench
microbench: ## benchmarks of the packages with allocations (BENCHTIME, BENCHCOUNT, PKGS)
	$(GO) test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) -count $(BENCHCOUNT) $(TESTFLAGS) $(PKGS)

.PHONY: bench
bench: cluster-build ## ways to wait for Jobs side by side on a real control plane: docs/benchmarks anew (root; more than an hour)
	$(GO) -C test/bench run ./driver $(BENCHFLAGS)

.PHONY: bench-smoke
bench-smoke: cluster-build ## each benchmark once and the comparison once, small, to see that they still run (root)
	$(GO) test -run '^$$' -bench . -benchtime 1x $(TESTFLAGS) $(PKGS)
	$(GO) -C test/bench test -count=1 -timeout 30m ./...

.PHONY: fuzz-smoke
fuzz-smoke: ## each fuzz target for FUZZTIME (make test runs their seeds)
	GO="$(GO)" scripts/fuzz-smoke.sh $(FUZZTIME)

bin/kontinue-cluster: FORCE
	$(GO) -C test/cluster build -o "$(CURDIR)/$@" ./cmd/kontinue-cluster

.PHONY: FORCE
FORCE:

.PHONY: cluster-build
cluster-build: bin/kontinue-cluster ## build the programs of a real Kubernetes, once (root; about 20 minutes)
	bin/kontinue-cluster build

.PHONY: cluster-up
cluster-up: cluster-build ## start a real Kubernetes on this machine (root)
	bin/kontinue-cluster up $(CLUSTERFLAGS)

.PHONY: cluster-down
cluster-down: bin/kontinue-cluster ## end it and remove what it left
	bin/kontinue-cluster down

.PHONY: e2e
e2e: ## the end-to-end scenarios against a real Kubernetes: this machine's, or that of KUBECONFIG
	$(if $(KUBECONFIG),,$(MAKE) cluster-build)
	$(GO) -C test/e2e test -count=1 -timeout 30m $(TESTFLAGS) ./...

.PHONY: faults
faults: cluster-build ## storms of network faults between steps and a real control plane, by SEEDS seeds (root; minutes)
	$(GO) -C test/chaos run ./driver storm -seeds $(SEEDS)

.PHONY: durability
durability: cluster-build ## kill KILLS workers at any instruction on a real control plane, and count what was lost or ran twice (root; minutes)
	$(GO) -C test/chaos run ./driver kill -kills $(KILLS)
