# An index of what can be done here. The work itself is done by Rust programs. What is given (TAG=v1.2.3) they get from the environment,
# where make puts it, so that no shell takes a part of it for a command.
.DEFAULT_GOAL := help
.PHONY: help demo test soak ci lint fmt generate controlplane bench image release-dry-run release-check release-test

help: ## Say what there is to make
	@sed -n 's/^\([a-z-]*\):.* ## /  make \1	/p' $(MAKEFILE_LIST) | expand -t 22

demo: ## Show on a real API server what a user sees; DEMO=once ends it, DEMO_CONTEXT=NAME uses your cluster
	cargo build --workspace --bins && cargo run --quiet --bin demo

test: ## Run what has to pass before a change is handed on: lints, tests, the demo
	cargo run --quiet --bin suite test

soak: ## Run what takes long: exhaustive walks, storms, kills, races, faults; FULL=1 samples nothing
	cargo run --quiet --bin suite soak

ci: ## Run test, then soak
	cargo run --quiet --bin suite all

lint: ## Look at the code without running it
	cargo run --quiet --bin suite lint

fmt: ## Format the code
	cargo fmt --all

generate: ## Write anew what derives from the kinds: the chart's files, docs/rules.md, docs/reference/
	cargo run --quiet --bin suite generate

controlplane: ## Run a Kubernetes control plane until Ctrl-C (the first time builds it)
	cargo run --bin controlplane up

bench: ## Measure both programs; COMPARE=FILE says what got worse since that result
	cargo build --release --bin concierge-webhook --bin concierge-reconciler --bin controlplane --bin bench && $${CARGO_TARGET_DIR:-target}/release/bench run $${COMPARE:+--compare "$$COMPARE"}

image: ## Build the image for amd64 and arm64 into target/dist, without Docker; ARCH=amd64 builds one
	cargo run --quiet --bin release -- image $${ARCH:+--arch "$$ARCH"}

release-dry-run: ## Make everything that a release publishes, in target/dist, and publish nothing
	cargo run --quiet --bin release -- all $${TAG:+--tag "$$TAG"} $${ARCH:+--arch "$$ARCH"}

release-check: ## Say whether TAG=vX.Y.Z is the version everywhere
	cargo run --quiet --bin release -- check "$$TAG"

release-test: ## Run the image in containerd, and the reports and the hook in other programs; FULL=1: as it is published; DIST=target/dist: what is there already
	cargo build --workspace --bins && cargo test --package concierge-tests --test release -- --include-ignored --show-output
