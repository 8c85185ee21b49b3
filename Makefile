# Everything is made from Go modules; the tools below go to bin/, pinned, when a target first needs them.
SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS   += --no-print-directory

BIN     := $(CURDIR)/bin
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GOBUILD := go build -ldflags "-X main.version=$(VERSION)"

# For `make search-attributes` and `make server`.
ADDRESS   ?= 127.0.0.1:7233
NAMESPACE ?= default
SEARCH_ATTRIBUTES := AtlasProjectId CmkPhase CmkAwaiting
# For `make simulator` and `make worker`.
SIMULATED_ATLAS ?= 127.0.0.1:8080
SIMULATED_AWS   ?= 127.0.0.1:8081
SCALE           ?= 300
# For `make search` and `make verify`.
SCHEDULES ?= 10000
# For `make fuzz` and `make verify`, of each target.
FUZZTIME ?= 30s

##@ Run
.PHONY: demo
demo: temporal ## Enable CMK over private endpoints in a simulated world, start to end [KEEP=1 KILL=1 APPROVE=ask]
	@go build -o bin/demo ./testsuite/demo
	@KEEP='$(KEEP)' KILL='$(KILL)' APPROVE='$(APPROVE)' exec bin/demo

.PHONY: server
server: temporal ## Run a Temporal development server with our search attributes and the web UI until Ctrl-C
	@go build -o bin/devserver ./testsuite/devserver/cmd
	@exec bin/devserver -namespace '$(NAMESPACE)'

.PHONY: simulator
simulator: ## Run the simulated Atlas and AWS until Ctrl-C, SCALE times faster than life [SCALE=300]
	@go build -o bin/simulator ./testsuite/simulator
	@exec bin/simulator -atlas '$(SIMULATED_ATLAS)' -aws '$(SIMULATED_AWS)' -scale '$(SCALE)'

.PHONY: worker
worker: build ## Run the worker on the simulated Atlas and AWS until Ctrl-C
	@set -a && . testsuite/simulator/worker.env && \
		MONGODB_ATLAS_BASE_URL='http://$(SIMULATED_ATLAS)' AWS_ENDPOINT_URL='http://$(SIMULATED_AWS)' exec bin/worker

.PHONY: search-attributes
search-attributes: temporal ## Register the search attributes on a server [ADDRESS=host:port NAMESPACE=name]
	"$$(bin/devserver -find)" operator search-attribute create --address '$(ADDRESS)' --namespace '$(NAMESPACE)' \
		$(SEARCH_ATTRIBUTES:%=--name % --type Keyword)

##@ Build
.PHONY: build
build: ## Build worker and starter into bin/
	@mkdir -p bin
	$(GOBUILD) -o bin/ ./worker ./starter

.PHONY: clean
clean: ## Remove what was built, but for the tools
	rm -rf dist bin/worker bin/starter bin/demo bin/devserver bin/simulator

##@ Check
# The tests are short and allocate much: what they save of collecting garbage is a tenth of their time. It takes 1.5 GB.
test race crash limits verify: export GOGC := 400

.PHONY: test
test: temporal ## Run every test: unit and replay with the race detector, then end to end on a real Temporal server
	go test -race -p 4 -timeout 30m $$(go list ./workflows ./activities ./testsuite/sim ./... | grep -v -e '/testsuite/e2e$$' -e '/testsuite/search$$' -e '/testsuite/docs$$')
	go test -timeout 30m ./testsuite/search
	go test -timeout 30m -run '^TestTheCommandsOfTheDocs$$' ./testsuite/docs # by itself: the commands do not wait for a busy server
	go test -timeout 40m -skip '^TestTheCommandsOfTheDocs$$' ./testsuite/docs ./testsuite/e2e # the demo waits more than it works

.PHONY: race
race: temporal ## Run every test with the race detector, those end to end too
	go test -race -timeout 60m ./...

.PHONY: unit
unit: ## Run the tests that need no Temporal server
	go test -race ./cmk/... ./workflows/... ./activities/... ./worker/... ./starter/... ./testsuite/sim/... ./testsuite/search

.PHONY: test-browser
test-browser: temporal chromium ## Start every workflow in the web UI with Chromium, approve there, and keep screenshots in dist/browser
	go test -count=1 -tags browser -run 'TestWebUI|TestEveryWorkflowFromTheUI' ./testsuite/docs

.PHONY: test-tctl
test-tctl: temporal bin/tctl ## Run the commands of docs/tctl.md as they are written
	ATLAS_CMK_TCTL='$(BIN)/tctl' go test -count=1 -run TestTheCommandsOfTheDocs/tctl.md ./testsuite/docs

.PHONY: crash
crash: temporal ## Kill the worker at every write of every procedure, where `make test` does at every fourth one
	ATLAS_CMK_EVERY_CELL=1 go test -count=1 -timeout 60m -run 'Crash|LostAnswer|Killed' ./testsuite/e2e

.PHONY: search
search: ## Search for a schedule of faults, foreign acts and decisions that breaks a rule [SCHEDULES=10000]
	ATLAS_CMK_SCHEDULES='$(SCHEDULES)' go test -count=1 -timeout 0 -run 'TestSchedules|TestRefusedAtEvery|TestDocumentedRefusals|TestCancelledAfterEveryWrite' ./testsuite/search

.PHONY: limits
limits: temporal ## Try all regions, 500 clusters, 10,000 signals to one run, and resets to any workflow task
	go test -count=1 -timeout 60m -tags limits -run 'TestLargeProject|TestTenThousandSignals|TestResetToAnyWorkflowTask' ./testsuite/e2e

.PHONY: bench-watch
bench-watch: temporal ## Measure what a worker takes that watches a thousand projects; takes minutes
	go test -run '^$$' -bench BenchmarkWatches/projects-1000 -benchtime 1x -timeout 30m ./testsuite/e2e

.PHONY: mutants
mutants: temporal ## Apply small deliberate bugs one by one, and see that a test catches each
	go run ./testsuite/mutants

.PHONY: fuzz
fuzz: ## Fuzz every decoder and validator that faces the outside, each for a while [FUZZTIME=30s]
	@grep -ro --include=*_test.go 'func Fuzz[A-Za-z]*' ./cmk ./workflows ./activities | sed 's|/[^/]*_test.go:func | |' | \
		while read -r package target; do \
			echo "== $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime '$(FUZZTIME)' -fuzzminimizetime 1s "$$package"; \
		done

.PHONY: verify
verify: temporal bin/tctl ## Run all that is promised to hold: crashes, schedules, mutants, replay, fuzzing, limits, web UI, tctl; end with a table [SCHEDULES=10000 FUZZTIME=30s]
	-@$(MAKE) chromium # where that fails, so does the part that needs it, and it alone
	go run ./testsuite/verify -schedules '$(SCHEDULES)' -fuzztime '$(FUZZTIME)'

.PHONY: histories
histories: temporal ## Record the history of every run of the end-to-end suite anew, for the replay tests
	ATLAS_CMK_RECORD_HISTORIES='$(CURDIR)/workflows/testdata/histories' go test -count=1 ./testsuite/e2e/...

.PHONY: schema
schema: ## Write the JSON Schema of the contract, and of simulated worlds, anew, from the Go types
	ATLAS_CMK_WRITE_SCHEMA=1 go test -count=1 -run Schema ./cmk/schema ./testsuite/sim

.PHONY: reference
reference: ## Write docs/reference.md anew, from the code
	ATLAS_CMK_WRITE_REFERENCE=1 go test -count=1 -run Reference ./cmk/schema

.PHONY: lint
lint: bin/golangci-lint bin/workflowcheck ## Check formatting, vet, golangci-lint and the determinism of the workflows
	@unformatted="$$(gofmt -l .)"; test -z "$$unformatted" || { echo "gofmt -w these:"; echo "$$unformatted"; exit 1; }
	go vet -tags browser,limits ./...
	bin/golangci-lint run
	bin/workflowcheck -config .workflowcheck.yml ./workflows/...

.PHONY: vuln
vuln: bin/govulncheck ## Look for known vulnerabilities (asks vuln.go.dev)
	bin/govulncheck ./...

##@ Tools
.PHONY: chromium
chromium: ## Install Chromium, unless it is there
	@command -v chromium >/dev/null || { apt-get update && apt-get install -y --no-install-recommends chromium; }

# tctl's own module does not let itself be installed: one that requires it does.
bin/tctl:
	@scratch="$$(mktemp -d)"; trap 'rm -rf "$$scratch"' EXIT; cd "$$scratch" && go mod init scratch && \
		go get github.com/temporalio/tctl/cmd/tctl@v1.18.0 && go build -o '$(BIN)/tctl' github.com/temporalio/tctl/cmd/tctl

# The stamp carries a tool's version, so that the tool is installed again when the version here changes.
define tool
bin/$(1): bin/.$(1)@$(3)
	GOBIN='$(BIN)' go install $(2)@$(3)
	@touch $$@
bin/.$(1)@$(3):
	@mkdir -p bin && rm -f bin/.$(1)@* && touch $$@
endef
$(eval $(call tool,temporal,github.com/temporalio/cli/cmd/temporal,v1.5.1))
$(eval $(call tool,golangci-lint,github.com/golangci/golangci-lint/v2/cmd/golangci-lint,v2.15.0))
$(eval $(call tool,workflowcheck,go.temporal.io/sdk/contrib/tools/workflowcheck,v0.6.0))
$(eval $(call tool,govulncheck,golang.org/x/vuln/cmd/govulncheck,v1.9.0))

.PHONY: temporal
temporal: ## Install Temporal's command line into bin/, unless PATH (or TEMPORAL_CLI) has one that is new enough
	@go build -o bin/devserver ./testsuite/devserver/cmd
	@test -n "$${TEMPORAL_CLI:-}" || bin/devserver -find >/dev/null 2>&1 || $(MAKE) bin/temporal

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
