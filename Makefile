# Makefile - `make help` lists the targets.
#
#   make            the program, in build/
#   make check      all tests
#   make demo       train on the data in data/: the first thing to run
#
# CC, CFLAGS, LDFLAGS, PREFIX, DESTDIR and BUILD are yours; SAN=1 builds with sanitizers into build-san/, COV=1 with coverage
# into build-cov/, V=1 shows the commands.

VERSION := 0.1.0

PREFIX ?= /usr/local
MPICC ?= mpicc
ifeq ($(origin CC),default)
CC := $(MPICC)
endif
ifdef SAN
BUILD ?= build-san
else ifdef COV
BUILD ?= build-cov
else
BUILD ?= build
endif

MULTIARCH := $(shell gcc -print-multiarch 2>/dev/null)
BLAS_PKG_PATH ?= /usr/lib/$(MULTIARCH)/openblas-serial/pkgconfig
PKG := PKG_CONFIG_PATH=$(BLAS_PKG_PATH):$(PKG_CONFIG_PATH) pkg-config
# Debian's name of parallel HDF5; elsewhere it is called hdf5.
HDF5_PACKAGE ?= hdf5-openmpi
HDF5_HL ?= -lhdf5_openmpi_hl
PACKAGES := $(HDF5_PACKAGE) zlib libcyaml yaml-0.1 jansson openblas
PKG_CFLAGS := $(shell $(PKG) --cflags $(PACKAGES) 2>/dev/null)
PKG_LIBS := $(shell $(PKG) --libs $(PACKAGES) 2>/dev/null)
BLAS_LIBDIR := $(shell $(PKG) --variable=libdir openblas 2>/dev/null)

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wvla -Werror
BASE_CFLAGS := -std=c11 -D_GNU_SOURCE -O2 -g $(WARNINGS) -Isrc $(PKG_CFLAGS) -DPOLYRANK_VERSION=\"$(VERSION)\" \
               -ffp-contract=off
KERNEL_CFLAGS := -Wno-psabi -O3 -fopenmp-simd -ffp-contract=fast -fno-math-errno -fno-trapping-math
ifdef SAN
BASE_CFLAGS += -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
BASE_LDFLAGS += -fsanitize=address,undefined
endif
ifdef COV
BASE_CFLAGS += -O0 --coverage
BASE_LDFLAGS += --coverage
endif
BASE_LDFLAGS += -Wl,-rpath,$(BLAS_LIBDIR)
LIBS := $(HDF5_HL) $(PKG_LIBS) -lm

SOURCES := $(sort $(wildcard src/*.c src/*/*.c))
LIB_SOURCES := $(filter-out src/main.c,$(SOURCES))
LIB_OBJECTS := $(LIB_SOURCES:%.c=$(BUILD)/%.o)
LIBRARY := $(BUILD)/libpolyrank.a

# The float kernels once more for each instruction set, where the compiler can and nothing instruments the code: a set is one object
# in which only its entry is global (src/kernel/dispatch.c picks).
ifeq ($(SAN)$(COV)$(shell $(CC) -dumpmachine 2>/dev/null | cut -d- -f1)$(if $(findstring clang,$(shell $(CC) --version 2>/dev/null)),clang),x86_64)
KERNEL_ISAS := v3 v4
BASE_CFLAGS += -DKERNEL_ISAS
endif
ISA_SOURCES := $(filter-out src/kernel/gemm.c src/kernel/op.c src/kernel/dispatch.c,$(wildcard src/kernel/*.c))
ISA_OBJECTS := $(KERNEL_ISAS:%=$(BUILD)/kernel-%.o)
PROGRAM := $(BUILD)/polyrank

UNIT_SOURCES := $(sort $(wildcard tests/unit/test_*.c))
UNIT_SUITES := $(patsubst tests/unit/test_%.c,%,$(UNIT_SOURCES))
MPI_SOURCES := $(sort $(wildcard tests/mpi/test_*.c))
MPI_SUITES := $(patsubst tests/mpi/test_%.c,%,$(MPI_SOURCES))
BENCH_PROGRAMS := $(patsubst bench/%.c,$(BUILD)/bench/%,$(sort $(wildcard bench/*.c)))
CHECK_LIBS := $(shell $(PKG) --libs check 2>/dev/null)

ifdef V
Q :=
say =
else
Q := @
say = @echo '  $(1)'
endif

.PHONY: all help bootstrap check check-unit check-mpi check-jobs check-browser check-golden check-cluster demo clean \
        asan valgrind lint coverage bench fuzz format compile_commands reproduce-gpu reproduce-systolic reproduce-reram reproduce-attacc reproduce-llama reproduce-hpt reproduce-serving FORCE

all: $(PROGRAM) ## the program, build/polyrank

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26

# Objects that do not build say nothing helpful when a package is missing: ask first.
$(BUILD)/.ready: scripts/bootstrap
	@HDF5_PACKAGE=$(HDF5_PACKAGE) scripts/bootstrap --check
	@mkdir -p $(BUILD) && touch $@

# Rebuild everything when the flags change.
$(BUILD)/flags: FORCE | $(BUILD)/.ready
	@echo '$(CC) $(BASE_CFLAGS) $(KERNEL_CFLAGS) $(CFLAGS)' | cmp -s - $@ || echo '$(CC) $(BASE_CFLAGS) $(KERNEL_CFLAGS) $(CFLAGS)' > $@

$(BUILD)/src/kernel/%.o: private BASE_CFLAGS += $(KERNEL_CFLAGS)

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC  $<)
	$(Q)$(CC) $(BASE_CFLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

define isa_rules
$(BUILD)/kernel-$(1)/%.o: src/kernel/%.c $(BUILD)/flags
	@mkdir -p $$(@D)
	$$(call say,CC  $$< for x86-64-$(1))
	$(Q)$(CC) $(BASE_CFLAGS) $(KERNEL_CFLAGS) $(CPPFLAGS) $(CFLAGS) -march=x86-64-$(1) -DKERNEL_RUN_F32=kernel_run_f32_$(1) -MMD -MP -c -o $$@ $$<

$(BUILD)/kernel-$(1).o: $(ISA_SOURCES:src/kernel/%.c=$(BUILD)/kernel-$(1)/%.o)
	$$(call say,LD  $$@)
	$(Q)ld -r -o $$@ $$^ && objcopy --keep-global-symbol=kernel_run_f32_$(1) $$@
endef
$(foreach isa,$(KERNEL_ISAS),$(eval $(call isa_rules,$(isa))))

$(LIBRARY): $(LIB_OBJECTS) $(ISA_OBJECTS)
	@rm -f $@
	$(call say,AR  $@)
	$(Q)ar rcs $@ $^

$(PROGRAM): $(BUILD)/src/main.o $(LIBRARY)
	$(call say,LD  $@)
	$(Q)$(CC) $(BASE_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(BASE_LDFLAGS) $(LIBS)

# One runner per directory of suites: test_NAME.c exports `Suite *suite_NAME(void)`.
$(BUILD)/tests/unit/suites.c: $(UNIT_SOURCES) Makefile
	@mkdir -p $(@D)
	@{ echo '#include "suites.h"'; for s in $(UNIT_SUITES); do echo "Suite *suite_$$s(void);"; done; \
	  echo 'suite_function *const suites[] = {'; for s in $(UNIT_SUITES); do echo "    suite_$$s,"; done; echo '    0};'; } > $@

$(BUILD)/tests/mpi/suites.c: $(MPI_SOURCES) Makefile
	@mkdir -p $(@D)
	@{ echo '#include "suites.h"'; for s in $(MPI_SUITES); do echo "Suite *suite_$$s(void);"; done; \
	  echo 'suite_function *const suites[] = {'; for s in $(MPI_SUITES); do echo "    suite_$$s,"; done; echo '    0};'; } > $@

$(BUILD)/tests/unit/suites.o $(BUILD)/tests/mpi/suites.o: %.o: %.c
	$(Q)$(CC) $(BASE_CFLAGS) $(CFLAGS) -Itests -c -o $@ $<

$(BUILD)/tests/%.o: private BASE_CFLAGS += -Itests -include tests/assertions.h

$(BUILD)/check-unit: $(BUILD)/tests/run_unit.o $(BUILD)/tests/unit/suites.o $(UNIT_SOURCES:%.c=$(BUILD)/%.o) $(LIBRARY)
	$(call say,LD  $@)
	$(Q)$(CC) $(BASE_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(BASE_LDFLAGS) $(CHECK_LIBS) $(LIBS)

$(BUILD)/check-mpi: $(BUILD)/tests/run_mpi.o $(BUILD)/tests/mpi/suites.o $(MPI_SOURCES:%.c=$(BUILD)/%.o) $(LIBRARY)
	$(call say,LD  $@)
	$(Q)$(CC) $(BASE_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(BASE_LDFLAGS) $(CHECK_LIBS) $(LIBS)

$(BUILD)/check-golden: $(BUILD)/tests/golden/check_golden.o $(LIBRARY)
	$(call say,LD  $@)
	$(Q)$(CC) $(BASE_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(BASE_LDFLAGS) $(LIBS)

$(BENCH_PROGRAMS): $(BUILD)/bench/%: $(BUILD)/bench/%.o $(LIBRARY)
	$(call say,LD  $@)
	$(Q)$(CC) $(BASE_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(BASE_LDFLAGS) $(LIBS)

bootstrap: ## install what is needed (apt; sudo if not root)
	@scripts/bootstrap

check: ## all tests; prints 'N passed, N failed'
	@scripts/bootstrap
	@BUILD=$(BUILD) tests/check.sh

check-unit: $(BUILD)/check-unit ## unit tests alone (SUITE=name for one)
	@CK_RUN_SUITE=$(SUITE) $(BUILD)/check-unit

check-mpi: $(BUILD)/check-mpi ## tests under mpirun at 1 2 3 4 and 7 ranks
	@BUILD=$(BUILD) tests/mpi/run.sh

check-jobs: $(PROGRAM) ## malformed input, exit codes, invariance: through the real program
	@BUILD=$(BUILD) tests/jobs/run.sh

check-browser: $(PROGRAM) ## pages of polyrank report in headless Chromium (skipped without it)
	@BUILD=$(BUILD) tests/browser/run.sh

check-cluster: $(PROGRAM) ## a real SLURM of four nodes, and three hosts over TCP, both on this machine (root)
	@BUILD=$(BUILD) tests/cluster/run.sh

check-golden: $(BUILD)/check-golden ## GOLDEN=DIR: compare with golden tensors
	@test -n "$(GOLDEN)" || { echo "usage: make check-golden GOLDEN=DIR"; exit 2; }
	@$(BUILD)/check-golden $(GOLDEN)

reproduce-gpu: $(PROGRAM) ## TABLE=FILE: predicted against measured GPU times
	@test -n "$(TABLE)" || { echo "usage: make reproduce-gpu TABLE=FILE"; exit 2; }
	@$(PROGRAM) cost --csv $(TABLE) --summary

reproduce-systolic: $(PROGRAM) ## TABLE=FILE: cycles and traffic of systolic arrays against a table of SCALE-Sim runs
	@test -n "$(TABLE)" || { echo "usage: make reproduce-systolic TABLE=FILE"; exit 2; }
	@$(PROGRAM) cost --csv $(TABLE) --summary

reproduce-reram: $(PROGRAM) ## measured against predicted errors of ReRAM crossbars
	@$(PROGRAM) reproduce reram

reproduce-attacc: $(PROGRAM) ## TABLE=FILE: AttAcc's public simulator against our equations; without TABLE the paper's claims
	@$(PROGRAM) reproduce attacc $(or $(TABLE),--headline)

reproduce-llama: $(PROGRAM) ## MODEL=FILE TOKENIZER=FILE GOLDEN=FILE: tokens, texts, logits of a decoder against a reference's
	@test -n "$(MODEL)" -a -n "$(GOLDEN)" || { echo "usage: make reproduce-llama MODEL=FILE TOKENIZER=FILE GOLDEN=FILE.json"; exit 2; }
	@$(PROGRAM) reproduce llama --model $(MODEL) $(if $(TOKENIZER),--tokenizer $(TOKENIZER)) --golden $(GOLDEN)

reproduce-serving: $(PROGRAM) ## RUN=FILE TRACE=FILE: a measured run of an inference engine, replayed and compared (CLUSTER=FILE)
	@test -n "$(RUN)" -a -n "$(TRACE)" || { echo "usage: make reproduce-serving RUN=FILE TRACE=FILE [CLUSTER=FILE]"; exit 2; }
	@$(PROGRAM) reproduce serving --run $(RUN) --trace $(TRACE) --cluster $(or $(CLUSTER),clusters/rtx-pro-6000.yaml)

reproduce-hpt: $(PROGRAM) ## the published HpT comparison: tables, and CSV and plots in hpt-out/
	@BUILD=$(BUILD) scripts/reproduce-hpt

demo: ## set up, build, train a small model on real wind data: report, result file, trace
	@scripts/bootstrap
	@$(MAKE) --no-print-directory $(PROGRAM)
	@BUILD=$(BUILD) scripts/demo

bench: $(PROGRAM) $(BENCH_PROGRAMS) ## measured against peak, against bare kernels, against PyTorch if it is there
	@BUILD=$(BUILD) bench/run.sh

asan: ## all tests with address and undefined-behaviour sanitizers
	@$(MAKE) --no-print-directory SAN=1 BUILD=build-san build-san/check-unit build-san/check-mpi build-san/polyrank build-san/check-golden
	@BUILD=build-san SAN=1 tests/check.sh

valgrind: $(BUILD)/check-unit $(PROGRAM) ## memcheck over the unit tests and a small run
	@BUILD=$(BUILD) tests/valgrind.sh

fuzz: ## the readers under libFuzzer, SECONDS=60 each
	@tests/fuzz/run.sh $(or $(FUZZ_SECONDS),60)

lint: ## layers, sizes, format, cppcheck, clang-tidy
	@scripts/lint

format: ## clang-format over all sources
	@clang-format -i $$(git ls-files '*.c' '*.h')

coverage: ## line coverage of the tests (lcov)
	@$(MAKE) --no-print-directory COV=1 BUILD=build-cov build-cov/check-unit build-cov/check-mpi build-cov/polyrank build-cov/check-golden
	@BUILD=build-cov scripts/coverage

compile_commands: ## compile_commands.json for editors and linters
	@scripts/compile-commands '$(CC) $(BASE_CFLAGS) $(CPPFLAGS) $(CFLAGS)' '$(KERNEL_CFLAGS)' $(SOURCES) > compile_commands.json

include packaging/packaging.mk

clean: ## remove what was built
	rm -rf build build-san build-cov build-fuzz compile_commands.json demo-out hpt-out azure-out attacc-out story-out

-include $(LIB_OBJECTS:.o=.d) $(wildcard $(BUILD)/kernel-*/*.d) $(BUILD)/src/main.d $(wildcard $(BUILD)/tests/*.d $(BUILD)/tests/*/*.d $(BUILD)/bench/*.d)
