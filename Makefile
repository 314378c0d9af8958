# make run    the demo, on 127.0.0.1:8080
# make test   everything that a change has to pass; installs what it needs, cheap checks first
# make lint   the part of it that only reads the code
# make fmt    formats the code
# make bench  benchmarks, into bench/go.txt, bench/streams.md, bench/writes.md and bench/page.md
# make soak   an hour of everything at once, into bench/soak.md, after a thousand kills and the attacks
# make fuzz   each fuzz target for FUZZTIME
# make vulnerabilities  looks for code with a known vulnerability that the program calls
# make tools  the Go tools of tools/go.mod, into .tools

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: run test lint fmt bench soak fuzz tools need gofmt page vet golangci cross node race vulnerabilities

# The program has no cgo; only the race detector needs it. One setting for all else shares one build cache.
export CGO_ENABLED := 0
export GOFLAGS := $(GOFLAGS) -buildvcs=false

# The compiler and the linter take a fifth less time where they may take a third more memory.
FAST := GOGC=400

TOOLS := .tools/$(shell go env GOVERSION 2>/dev/null)
NPM := node_modules/.package-lock.json
FUZZTIME ?= 30s
SOAKTIME ?= 1h

run:
	go run . demo

test: need gofmt page node vet golangci cross vulnerabilities race

lint: gofmt page vet golangci

need:
	@for p in go gcc node npm; do \
	  command -v $$p >/dev/null || { echo "make: $$p is missing: the tests need Go, gcc, Node 20 or newer, and npm" >&2; exit 1; }; \
	done
	@tools/programs.sh

gofmt:
	@echo "== gofmt"
	@files=$$(gofmt -l .); [[ -z $$files ]] || { printf 'not formatted (make fmt does it):\n%s\n' "$$files" >&2; exit 1; }

page: $(NPM)
	@echo "== tsc, biome"
	@node_modules/.bin/tsc -p .
	@node_modules/.bin/tsc -p static/test
	@node_modules/.bin/biome check --error-on-warnings

node:
	@echo "== node --test"
	@cd static && node --test --test-timeout=120000 --test-reporter=dot

vet:
	@echo "== go vet"
	@$(FAST) go vet ./...

golangci: $(TOOLS)/golangci-lint
	@echo "== golangci-lint"
	@$(FAST) $(TOOLS)/golangci-lint run

vulnerabilities: tools
	@echo "== govulncheck"
	@$(FAST) tools/vulnerabilities.sh $(TOOLS)/govulncheck ./...

# Two of three are not optimised: they only have to compile, and that takes two thirds of the time.
cross:
	@echo "== go build for linux, darwin, windows"
	@$(FAST) GOOS=linux go build ./...
	@$(FAST) GOOS=darwin go build -gcflags='all=-N -l' ./...
	@$(FAST) GOOS=windows go build -gcflags='all=-N -l' ./...

race:
	@echo "== go test -race"
	@CGO_ENABLED=1 go test -race -shuffle=on -timeout 25m ./...

fmt: $(TOOLS)/golangci-lint $(NPM)
	$(TOOLS)/golangci-lint fmt
	node_modules/.bin/biome check --write

bench: tools $(NPM)
	tools/bench.sh $(TOOLS)/benchstat
	go run ./bench -out bench/streams.md fanout ways idle stall churn drain
	go run ./bench -out bench/writes.md writes
	go run ./bench -out bench/page.md page

soak:
	go test -count=1 -run '^TestProcess_killed$$' -timeout 1h -v . -kills 1000
	go test -count=1 -run '^TestAttack_' -timeout 1h -v . -full
	go run ./bench -soak $(SOAKTIME) -out bench/soak.md soak

fuzz:
	@for package in $$(go list ./...); do \
	  for name in $$(go test -list '^Fuzz' $$package | { grep '^Fuzz' || true; }); do \
	    echo "== $$package $$name"; go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) $$package; \
	  done; \
	done

tools: $(TOOLS)/golangci-lint

$(TOOLS)/golangci-lint: tools/go.mod tools/go.sum
	@echo "== go install tools (a minute or two, the first time)"
	@$(FAST) GOBIN=$(CURDIR)/$(TOOLS) go -C tools install tool
	@touch $@

$(NPM): package.json package-lock.json
	@echo "== npm ci"
	@npm ci --no-audit --no-fund --no-update-notifier
	@touch $@
