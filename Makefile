# Everything a developer or CI does, by name. `make` alone lists the targets.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

BIN := $(CURDIR)/.bin
LINT := $(BIN)/golangci-lint

# All modules of the workspace, as folders: the only place that lists them is go.work.
MODULES = $(shell go list -m -f '{{.Dir}}')

# $(call start,PACKAGE): as go run, but interrupting the program is no error of make's.
start = @mkdir -p $(BIN) && go build -o $(BIN)/ $(1) && exec $(BIN)/$(notdir $(1))

# What `build` makes.
COMMANDS := ./services/gateway/cmd/... ./services/rooms/cmd/... ./services/standalone/cmd/... \
	./services/signalctl/cmd/...

# How long each fuzz target runs, and which tests or benchmarks: make test RUN=TestX
FUZZTIME ?= 10s
RUN ?= .
BENCH ?= .
TEST_TIMEOUT ?= 15m

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- run

.PHONY: run
run: ## run everything in one process; --help shows the settings
	$(call start,./services/standalone/cmd/standalone)

.PHONY: cluster
cluster: ## run NATS, rooms and gateways as processes of their own
	$(call start,./services/e2e/cmd/cluster)

.PHONY: example
example: ## let two WebRTC peers find each other and open a data channel
	$(call start,./pkg/client/examples/datachannel)

# All flags: make chaos CHAOS=-help
CHAOS ?= -duration 5m

.PHONY: chaos
chaos: ## let faults loose on the services while clients use them; CHAOS="-seed 7 -duration 30m"
	$(call start,./services/e2e/cmd/chaos) $(CHAOS)

# All flags: make fault-times FAULTTIMES=-help
FAULTTIMES ?= -save

.PHONY: fault-times
fault-times: ## measure how long clients feel each fault, and write the table of deploy/FAULTS.md
	$(call start,./services/e2e/cmd/faulttime) $(FAULTTIMES)

# How many clients signal meanwhile.
ROLLING ?= 2000

.PHONY: rolling
rolling: ## restart everything, one process after another, under clients that signal; ROLLING=500 for so many
	go test -count=1 -v -timeout 15m -run '^TestRollingRestart$$' ./services/e2e/resume -rolling.clients $(ROLLING)

.PHONY: build
build: ## build static binaries of the services into .bin/
	@mkdir -p $(BIN)
	CGO_ENABLED=0 go build -trimpath -buildvcs=auto -ldflags '-s -w' -o $(BIN)/ $(COMMANDS)

# --- test

# The race detector needs a C compiler. Go itself says whether it has one. The tests with real processes come one package
# after the other: each of them can keep a small machine busy.
E2E := signalling/services/e2e
.PHONY: test
test: ## run all tests under the race detector
	@race=-race; \
	if [ "$$(go env CGO_ENABLED)" != 1 ] || ! command -v "$$(go env CC | cut -d' ' -f1)" >/dev/null; then \
		echo "make test: no C compiler: testing WITHOUT the race detector" >&2; \
		if [ "$${CI:-}" = true ]; then echo "make test: CI must have one" >&2; exit 1; fi; \
		race=; export CGO_ENABLED=0; \
	fi; \
	ok=true; run() { echo "go test $$*"; go test "$$@" || ok=false; }; \
	run $$race -shuffle=on -timeout $(TEST_TIMEOUT) -run '$(RUN)' $$(go list work | grep -v '^$(E2E)/'); \
	run -p 1 $$race -shuffle=on -timeout $(TEST_TIMEOUT) -run '$(RUN)' $(E2E)/...; \
	$$ok

# Its libraries are heavy, so it is a module outside of the workspace. Go's cache does not see what it reads.
.PHONY: test-deploy
test-deploy: ## test what is in deploy: alerts, dashboard, Helm chart
	GOWORK=off go -C .ci/deploy test -count=1 ./...

# One: make threats THREATS=origin
THREATS ?= .

.PHONY: threats
threats: ## remove the controls of SECURITY.md one by one, in a copy, and see that tests notice; takes long
	go test -count=1 -timeout 3h -v -run TestWithoutControls ./services/e2e/threats -remove '$(THREATS)'

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME
	@.ci/fuzz $(FUZZTIME)

# Flags: make bench BENCHFLAGS="-only commands,mesh"; all of them: BENCHFLAGS=-help
BENCHFLAGS ?=

.PHONY: bench
bench: ## measure a short set of works and compare with the committed figures
	$(call start,./services/e2e/cmd/bench) $(BENCHFLAGS)

.PHONY: bench-compare
bench-compare: ## measure the product beside the Node server, with ratios and bars
	$(call start,./services/e2e/cmd/bench) -compare $(BENCHFLAGS)

.PHONY: bench-page
bench-page: ## measure all works beside the Node server and write services/e2e/bench/README.md's tables
	$(call start,./services/e2e/cmd/bench) -compare -full -save $(BENCHFLAGS)

.PHONY: bench-growth
bench-growth: ## measure how costs grow with load, clients, rooms and gateways, and draw the curves of that page
	$(call start,./services/e2e/cmd/bench) -growth -save $(BENCHFLAGS)

.PHONY: bench-profiles
bench-profiles: ## see what each work spends its time on, and write it to that page
	$(call start,./services/e2e/cmd/bench) -profiles -save $(BENCHFLAGS)

.PHONY: bench-allocations
bench-allocations: ## count what the hot paths allocate, and write it to that page
	$(call start,./services/e2e/cmd/bench) -allocations -save

.PHONY: gobench
gobench: ## run all Go benchmarks
	go test -run '^$$' -bench '$(BENCH)' -benchmem work

# --- keep it tidy

.PHONY: check
check: check-format check-vet check-lint check-tidy check-generate ## check everything that is no test

.PHONY: check-format
check-format: $(LINT)
	$(LINT) fmt --diff

.PHONY: check-vet
check-vet:
	go vet work

.PHONY: check-lint
check-lint: $(LINT)
	$(LINT) run $(addsuffix /...,$(MODULES))
	cd .ci/deploy && GOWORK=off $(LINT) run ./...

.PHONY: check-tidy
check-tidy:
	@ok=true; for m in $(MODULES) .ci/deploy; do \
		echo "go mod tidy -diff in $$m"; GOWORK=off go -C $$m mod tidy -diff || ok=false; \
	done; $$ok || { echo "run make tidy" >&2; exit 1; }

.PHONY: check-generate
check-generate:
	.ci/check-generated

.PHONY: check-shell
check-shell: ## check the shell scripts (needs shellcheck)
	shellcheck --external-sources $$(git ls-files --cached --others --exclude-standard '*.sh' '.ci/*' ':!.ci/*/*')

.PHONY: fmt
fmt: $(LINT) ## format all Go files
	$(LINT) fmt

.PHONY: fix
fix: $(LINT) ## let the linters correct what they can
	$(LINT) run --fix $(addsuffix /...,$(MODULES))

.PHONY: generate
generate: ## run go generate everywhere
	go generate work

.PHONY: settings
settings: ## rewrite the tables of settings in the documentation
	UPDATE_SETTINGS=1 go test -count=1 -run 'Settings|MetricsOfBothServices' work

.PHONY: tidy
tidy: ## tidy every go.mod
	@for m in $(MODULES) .ci/deploy; do echo "go mod tidy in $$m"; GOWORK=off go -C $$m mod tidy; done

.PHONY: tools
tools: $(LINT) ## build the pinned development tools into .bin/

# -modfile is not allowed in a workspace, so the tools are a module outside of it.
$(LINT): .ci/tools/go.mod .ci/tools/go.sum
	@mkdir -p $(BIN)
	GOWORK=off go -C .ci/tools build -trimpath -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: compose
compose: $(BIN)/docker-compose ## build the pinned Docker Compose that the tests of deploy/compose.yml use

$(BIN)/docker-compose: .ci/compose/go.mod .ci/compose/go.sum
	@mkdir -p $(BIN)
	GOWORK=off go -C .ci/compose build -trimpath -ldflags '-s -w' -o $@ github.com/docker/compose/v5/cmd

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BIN)
