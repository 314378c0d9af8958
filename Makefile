# `make` lists what can be made. CONTRIBUTING.md says which of it a change needs.
#
# PKG limits `make test` and `make lint` to one room, so that they take seconds, not minutes:
#
#   make test PKG=./store        one package
#   make test PKG=./store/...    a folder and all that is below it

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help run test lint fmt generate hook bench soak fuzz vulnerabilities tools \
  peers all room fetch check need gofmt page node vet golangci cross linux darwin windows race

# Only the race detector needs cgo. All other steps build without it, so that they share one cache.
export CGO_ENABLED := 0
export GOFLAGS := $(GOFLAGS) -buildvcs=false

# With more memory before each collection, the compiler and the linter take a fifth less time.
FAST := GOGC=400

TOOLS := .tools/$(shell go env GOVERSION 2>/dev/null)
NPM := node_modules/.package-lock.json
PKG ?= ./...
GOLANGCI := $(TOOLS)/golangci-lint
FUZZTIME ?= 30s
SOAKTIME ?= 1h

# The folders of PKG, as gofmt takes them.
FOLDERS := $(patsubst %/...,%,$(PKG))

# The packages that `go test` gets. The tests of whole programs take longest, so they begin first.
TESTED := $(if $(filter ./...,$(PKG)),./test/... ./...,$(PKG))

# For targets that are made side by side: shows the output of each in one piece.
TOGETHER := --no-print-directory $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

##@ Every day

help: ## lists this
	@awk -F ':.*## ' '/^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z]+:.*## / { printf "  make %-17s%s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: ## starts the demo, on 127.0.0.1:8080
	go run . demo

test: $(if $(filter ./...,$(PKG)),all,room) ## runs what a change has to pass; PKG=./store for one room

lint: gofmt page vet golangci ## runs the checks that only read the code; takes PKG too

fmt: $(GOLANGCI) $(NPM) ## formats the code
	$(GOLANGCI) fmt
	node_modules/.bin/biome check --write

generate: ## writes the bundle of the page again, after a change in static/
	go generate ./static

hook: ## has git run tools/hooks/pre-commit before each commit
	@tools/hooks/install.sh

##@ Before a release

bench: tools $(NPM) ## runs the benchmarks, into bench/go.txt, streams.md, writes.md and page.md
	tools/bench.sh $(TOOLS)/benchstat
	go run ./bench -out bench/streams.md fanout ways idle stall churn drain
	go run ./bench -out bench/writes.md writes
	go run ./bench -out bench/page.md page

peers: $(NPM) ## only tests the program with nginx, HAProxy, Firefox, Lighthouse and clients from npm
	@tools/programs.sh peers
	@echo "== go test -race ./test/peers ./test/docs"
	@CGO_ENABLED=1 go test -race -shuffle=on -count=1 -timeout 30m ./test/peers ./test/docs

soak: ## kills the program 1,000 times, attacks it, then loads it for SOAKTIME, into bench/soak.md
	go test -count=1 -run '^TestProcess_killed$$' -timeout 1h -v ./test/process -kills 1000
	go test -count=1 -run '^TestAttack_' -timeout 1h -v ./test/attack -full
	go run ./bench -soak $(SOAKTIME) -out bench/soak.md soak

fuzz: ## runs each fuzz target for FUZZTIME
	@for package in $$(go list $(PKG)); do \
	  for name in $$(go test -list '^Fuzz' $$package | { grep '^Fuzz' || true; }); do \
	    echo "== $$package $$name"; go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) $$package; \
	  done; \
	done

vulnerabilities: tools ## fails if the program calls code with a known vulnerability
	@echo "== govulncheck"
	@$(FAST) tools/vulnerabilities.sh $(TOOLS)/govulncheck ./...

tools: $(GOLANGCI) ## compiles the Go tools of tools/go.mod, into .tools

# The parts of `make test`. The first two phases do several things side by side: while one waits for
# the network or runs on one core, another goes on. The tests have the machine for themselves,
# because many of them measure time.

all:
	@TIMEFORMAT='-- fetched in %0R s'; time $(MAKE) $(TOGETHER) -j4 fetch
	@TIMEFORMAT='-- checked in %0R s'; time $(MAKE) $(TOGETHER) -j2 check
	@TIMEFORMAT='-- tested in %0R s'; time $(MAKE) --no-print-directory race

fetch: need $(NPM) $(GOLANGCI) gofmt

check: golangci cross vulnerabilities page node

# Only tests of whole programs and of the page start browsers and other programs.
room: $(if $(filter ./test% ./static%,$(PKG)),need $(NPM)) $(if $(filter ./static%,$(PKG)),page node) \
  gofmt vet golangci race

need:
	@for p in go gcc node npm; do \
	  command -v $$p >/dev/null || { echo "make: $$p is missing: the tests need Go, gcc, Node 20 or newer, and npm 10 or newer" >&2; exit 1; }; \
	done
	@tools/programs.sh $(if $(filter ./... ./test/peers% ./test/...,$(PKG)),peers)

gofmt:
	@echo "== gofmt"
	@files=$$(gofmt -l $(FOLDERS)); [[ -z $$files ]] || { printf 'not formatted (make fmt does it):\n%s\n' "$$files" >&2; exit 1; }

page: $(NPM)
	@echo "== tsc, biome"
	@node_modules/.bin/tsc -p .
	@node_modules/.bin/tsc -p static/test
	@node_modules/.bin/biome check --error-on-warnings

node:
	@echo "== node --test"
	@cd static && node --test --test-timeout=120000 --test-reporter=dot

vet:
	@echo "== go vet $(PKG)"
	@$(FAST) go vet $(PKG)

golangci: $(GOLANGCI)
	@echo "== golangci-lint $(PKG)"
	@$(FAST) $(GOLANGCI) run $(PKG)

# Other systems' code only has to compile. Without optimisation that takes a third of the time.
cross: linux darwin windows

linux:
	@echo "== go build for linux"
	@$(FAST) GOOS=linux go build ./...

darwin windows:
	@echo "== go build for $@"
	@$(FAST) GOOS=$@ go build -gcflags='all=-N -l' ./...

# The model test of live is one goroutine that makes a hundred histories: the race detector finds
# nothing in it and takes three minutes. The other tests of live run under it.
MODEL := ^TestService_model$$

race:
	@echo "== go test -race $(PKG)"
	@CGO_ENABLED=1 go test -race -shuffle=on -timeout 25m -skip '$(MODEL)' $(TESTED)
	@$(if $(filter ./... ./live%,$(PKG)),go test -run '$(MODEL)' ./live)

$(GOLANGCI): tools/go.mod tools/go.sum
	@echo "== go install tools (a minute or two, the first time)"
	@$(FAST) GOBIN=$(CURDIR)/$(TOOLS) go -C tools install tool
	@touch $@

$(NPM): package.json package-lock.json
	@echo "== npm ci"
	@[[ $$(npm --version) != [1-9].* ]] || { echo "make: npm $$(npm --version) can't override a dependency on \"latest\", as package.json does: install npm 10 or newer (npm install --global npm@10)" >&2; exit 1; }
	@npm ci --no-audit --no-fund --no-update-notifier
	@touch $@
