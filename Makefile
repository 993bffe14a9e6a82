# `make` lists what can be done here. `make check` is exactly what CI runs:
# .ci/run prepares the machine and then takes STEPS from here, one by one.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

STEPS := format vet tidy generated lint audit licences secrets race test test-postgres bench-test acme-test otlp-test deploy-test

# The pinned tools have modules of their own, see tools/.
TOOL := go tool -modfile=tools/go.mod

PKG      ?= ./...
RUN      ?=
FUZZTIME ?= 30s
COUNT    ?= 6
TORTURE  ?= 4m

PEERS = bench/peers/node
SCALE = reads,instances,pages

MATCHING = $(if $(RUN),-run '$(RUN)')

# TESTS runs go test with flags on packages. In CI up to five tests that fail are
# run again, twice at most, and named at the end: see docs/testing.md. Nothing is
# excused elsewhere, nor a data race, a panic or a time-out anywhere.
TESTS = $(if $(CI),$(TOOL) gotestsum --format standard-quiet --rerun-fails=2 --rerun-fails-max-failures=5 \
	--rerun-fails-abort-on-data-race --rerun-fails-report=again-$@.out --packages='$(2)' -- $(1),go test $(1) $(2))

# The Go files that git knows or would take, whatever lies about beside them.
GOFILES = $$(git ls-files --cached --others --exclude-standard --deduplicate '*.go')

##@ Every day

.PHONY: run test race test-postgres
run: ## Serve the payments example on 127.0.0.1:8080, its data in ./.data
	go run ./examples/payments

test: ## Run the tests (PKG=./rest RUN=TestName to choose)
	$(call TESTS,$(MATCHING),$(PKG))

race: ## Run the tests under the race detector (PKG=… RUN=…)
	$(call TESTS,-race -timeout 30m $(MATCHING),$(PKG))

# Everything that keeps an app's data, on PostgreSQL instead of SQLite.
ON_POSTGRES = . ./ashlartest/... ./idem/... ./auth/... ./examples/...

test-postgres: export ASHLAR_TEST_DATABASE = postgres
test-postgres: ## Run the tests of what keeps data on PostgreSQL (RUN=…)
	$(call TESTS,$(MATCHING),$(ON_POSTGRES))

.PHONY: fmt fix
fmt: ## Format every Go file
	$(TOOL) golangci-lint fmt

fix: ## Format, tidy, and apply the linters' own corrections
	go mod tidy
	$(TOOL) golangci-lint run --fix

##@ Before a change is offered

.PHONY: check steps fresh generate $(STEPS)
check: $(STEPS) ## Run everything that CI runs

steps: # what .ci/run reads
	@echo $(STEPS)

format: ## Fail if a file is not formatted
	@unformatted=$$(gofmt -l $(GOFILES)); \
	[ -z "$$unformatted" ] || { printf 'not formatted (make fmt):\n%s\n' "$$unformatted"; exit 1; }

vet: ## Run go vet
	go vet ./...

tidy: ## Fail if go.mod or go.sum are not tidy, or a module is not what it was
	go mod tidy -diff
	go mod verify

generated: ## Fail if a docs.gen.go is older than its comments
	go run ./cmd/ashlar gen --check ./examples/payments/... ./examples/conduit

generate: ## Write the doc comments of the examples into their docs.gen.go
	go run ./cmd/ashlar gen ./examples/payments/... ./examples/conduit

lint: ## Run the linters of .golangci.yml
	$(TOOL) golangci-lint config verify
	$(TOOL) golangci-lint run

audit: ## Look for known vulnerabilities and withdrawn modules (GOVULNDB=url for another database)
	@.ci/audit

# Looked at: the text that is not known is that of its documentation
# (go-digest), of a logo (memory), and says that SQLite is in the public domain.
LOOKED_AT = github.com/opencontainers/go-digest,modernc.org/memory,modernc.org/sqlite

licences: ## Fail if something is linked that is under a licence which is not permissive
	go run ./cmd/ashlar licences --except=$(LOOKED_AT) ./...

secrets: ## Look for secrets in all files and all of the history
	@.ci/secrets

bench-test: ## Vet and test the comparison in bench/, a module of its own, with the peers that can be had
	@[ -d $(PEERS)/node_modules ] || $(MAKE) bench-install OMIT=optional || echo 'the Node peers cannot be installed here, and are left out'
	go -C bench vet ./... && go -C bench test ./...

acme-test: ## Vet and test serve/acme against a certificate authority, a module of its own
	go -C serve/acme/pebbletest vet ./... && go -C serve/acme/pebbletest test ./...

otlp-test: ## Vet and test trace/otlp against an OpenTelemetry Collector, a module of its own
	go -C trace/otlp/collectortest vet ./... && go -C trace/otlp/collectortest test ./...

deploy-test: ## Vet and test the files of deploy/ with the tools that will read them, a module of its own
	go -C deploy/deploytest vet ./... && go -C deploy/deploytest test ./...

.PHONY: ci contract image release-dry
ci: $(STEPS) contract image release-dry ## Run every step of the pipelines that needs no cloud

contract: ## Fail if the payments example breaks what it has promised
	cd examples/payments && go run . contract check

image: ## Make the payments example's image twice, and fail if the two differ
	@mkdir -p bin
	go run ./cmd/ashlar image ./examples/payments -o bin/payments.tar
	go run ./cmd/ashlar image ./examples/payments -o bin/payments-again.tar
	cmp bin/payments.tar bin/payments-again.tar

release-dry: ## Make what a release of the unreleased changes would be, in bin/dist
	rm -rf bin/dist
	.ci/release Unreleased bin/dist

fresh: ## Try the README's two commands as a newcomer: fresh clone, empty module cache
	@.ci/fresh

##@ Now and then

.PHONY: fuzz bench torture bench-peers bench-graphql bench-scale bench-broadcast bench-layers bench-install cover tools clean
fuzz: ## Run every fuzz target for FUZZTIME (30s) each (PKG=… to choose)
	@.ci/fuzz $(FUZZTIME) $(PKG)

bench: ## Run each package's own benchmarks COUNT (6) times, medians by benchstat, raw figures in bin/bench.txt
	@mkdir -p bin
	go test -run '^$$' -bench '$(or $(RUN),.)' -benchmem -count $(COUNT) $(PKG) | tee bin/bench.txt
	$(TOOL) benchstat bin/bench.txt

bench-peers: ## Compare with Gin, Echo, Chi + Huma, Fiber, Express, Fastify, NestJS: 15 minutes, writes bench/results/ (QUICK=1: 3 minutes, writes nothing)
	@$(MAKE) bench-install || echo 'the Node peers cannot be installed here, and are left out'
	cd bench && go run ./peers $(if $(QUICK),-quick)

bench-graphql: ## Compare GraphQL with gqlgen, graphql-go, Mercurius, Yoga and Apollo, and with REST: 6 minutes, writes bench/results/
	@$(MAKE) bench-install || echo 'the Node peers cannot be installed here, and are left out'
	cd bench && go run ./peers -graphql

bench-scale: ## Measure pages of 10 million payments, 1, 2 and 4 instances, and reads from cache, Redis and database: 15 minutes (PART=reads PAYMENTS=n to choose)
	@.ci/scale $(or $(PART),$(SCALE)) -rounds 5 $(if $(PAYMENTS),-payments $(PAYMENTS))

bench-broadcast: ## Compare what is sent to 5 000 listeners at once, and 10 000 idle connections, with Fastify and ws: 3 minutes
	@$(MAKE) bench-install
	cd bench && go run ./broadcast

bench-layers: ## Print the cost ledger: what each layer of the stack costs a request, in processor time and allocations: 3 minutes
	cd bench && go run . -part layers -rounds 7 -count 50000

torture: ## Kill, stop and cut off the payments example for TORTURE (4m) in each setting, then audit its books (SEED=n repeats a run)
	go test ./examples/payments/torture -run 'TestOneInstance|TestSeveralProcesses|TestManyInstances' -parallel 1 -v -timeout 60m \
	-torture.time=$(TORTURE) $(if $(SEED),-torture.seed=$(SEED))

bench-install: ## Install and build the Node peers of bench/ (OMIT=optional: without the database driver, which may have to be compiled)
	@node -e 'const [major, minor] = process.versions.node.split("."); process.exit(major * 100 + +minor < 2019 ? 1 : 0)' || { echo 'Node 20.19 or newer is needed'; exit 1; }
	cd $(PEERS) && npm ci --no-audit --no-fund $(if $(OMIT),--omit=$(OMIT)) && npm run -s build

cover: ## Show which lines no test reaches, in bin/cover.html
	@mkdir -p bin
	go test -coverpkg=./... -coverprofile=bin/cover.out ./...
	go tool cover -html=bin/cover.out -o bin/cover.html
	@go tool cover -func=bin/cover.out | tail -n 1

tools: ## Raise the pinned tools to their newest versions
	for mod in go.mod gitleaks.mod; do \
	go -C tools get -modfile=$$mod tool && go -C tools mod tidy -modfile=$$mod; done

clean: ## Remove what the targets above wrote
	rm -rf bin .data

.PHONY: help
help: ## List every target
	@awk 'BEGIN {FS = ":.*## "} \
	/^##@/ {printf "\n%s\n", substr($$0, 5)} \
	/^[a-z-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' Makefile
