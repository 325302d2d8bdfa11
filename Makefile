# Rollcall. `make help` lists the targets; V=1 shows commands; everything generated is in build/.
MAKEFLAGS += --no-builtin-rules
SHELL     := /bin/bash
B         := build
CC        ?= gcc
CLANG     ?= clang
PREFIX    ?= /usr
CFLAGS    ?= -O2 -g
WARN      := -Wall -Wextra -Wshadow -Wcast-qual -Wmissing-prototypes -Wstrict-prototypes -Werror
ALLCFLAGS  = -std=gnu11 -D_GNU_SOURCE -Iuser -isystem $(B) -I$(B)/proto $(WARN) $(CFLAGS) $(SAN) -MD -MP
LIBS       = -lprotobuf-c -levent -levent_openssl -lssl -lcrypto -lyaml -lz -ljansson -lpcre2-8
LIBS_sensor     = -lbpf -lelf -lseccomp -lcap-ng
LIBS_aggregator = -lsqlite3
LIBS_cli        = -lsqlite3
BPF_ARCH  := $(shell uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/')
BPFFLAGS  := -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_$(BPF_ARCH) -Ibpf -I$(B) \
             -I/usr/include/$(shell uname -m)-linux-gnu -Wall -Wextra -Wno-unused-parameter -Werror
Q         := $(if $(V),,@)
say        = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

PROTO     := $(patsubst proto/%.proto,%,$(wildcard proto/*.proto))
PROTO_C   := $(PROTO:%=$(B)/proto/%.pb-c.c)
LIB_SRC   := $(shell find user/lib -name '*.c')
SRC_sensor     := $(shell find user/sensor -name '*.c')
SRC_aggregator := $(shell find user/aggregator -name '*.c')
SRC_cli        := $(wildcard user/cli/*.c)
LIB_OBJ   := $(LIB_SRC:%.c=$(B)/%.o) $(PROTO_C:%.c=%.o)
# The one that declares the kernel's functions that several call (bpf/plain.h) is linked first.
BPF_FIRST := bpf/process.bpf.c
BPF_SRC   := $(BPF_FIRST) $(filter-out $(BPF_FIRST),$(wildcard bpf/*.bpf.c))
BPF_OBJ   := $(BPF_SRC:bpf/%.bpf.c=$(B)/bpf/%.bpf.o)
PROGRAMS  := $(B)/rollcall-sensor $(B)/rollcall $(if $(SRC_aggregator),$(B)/rollcall-aggregator)
UNIT      := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))
KTESTS    := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/kernel/*.c))
E2E_PROGS := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/e2e/*.c tests/e2e/*/*.c tests/bench/*.c))
FUZZ      := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/fuzz/fuzz_*.c))
MAN       := $(patsubst docs/man/%.scd,$(B)/man/%,$(wildcard docs/man/*.scd))
# A test names the sources it needs beyond the library in its first line: "// links: a.c b.c".
links      = $(shell eval echo "$$(sed -n '1s|^// links: ||p' $(1))")
HEADERS   := $(shell find user bpf tests -name '*.h')

.PHONY: all help demo check check-unit check-kernel check-e2e check-style check-kernels check-fresh \
        check-sanitize check-sigmahq bench fuzz format install uninstall clean build-deps test-deps programs tests
.DELETE_ON_ERROR:
.SECONDARY: $(PROTO_C) $(PROTO_C:%.c=%.h)

all: build-deps
	$(Q)$(MAKE) --no-print-directory programs

help:
	@sed -n 's/^## //p' Makefile

## make                 build the three programs into build/ (installs missing Debian packages)
## make demo            the main job, end to end, on private real servers, in under two minutes
## make check           every test that runs natively
## make check-kernels   the kernel tests in QEMU on Debian's 6.1 and 6.12 kernels
## make check-fresh     the README's commands in a clean Debian 12 root
## make check-sanitize  the tests under ASan and UBSan, then what can run there under valgrind
## make check-sigmahq   every Linux rule of a clone of SigmaHQ/sigma in the directory SIGMAHQ loads
## make bench           paired benchmarks, with and without the sensor, into docs/performance.md;
##                      FLOOR=1: an empty program, and our programs alone, in the same run;
##                      PEERS=1: auditd, bpftrace, pgaudit and server_audit in the same run
## make fuzz            every fuzz target for FUZZ_SECONDS (60)
## make format          clang-format over the sources
## make install         into $(DESTDIR)$(PREFIX), starting nothing
## make uninstall       remove it again; configuration and state stay

build-deps:
	$(Q)packaging/install-packages build
test-deps:
	$(Q)packaging/install-packages build test

programs: $(PROGRAMS) $(MAN)
tests: $(UNIT) $(KTESTS) $(E2E_PROGS) $(FUZZ)

# ---- generated code ----
$(B)/proto/%.pb-c.c: proto/%.proto
	$(call say,PROTO,$<)
	$(Q)mkdir -p $(@D) && protoc-c --proto_path=proto --c_out=$(@D) $<
$(B)/proto/%.pb-c.h: $(B)/proto/%.pb-c.c ;
$(B)/proto/%.pb-c.o: $(B)/proto/%.pb-c.c
	$(Q)$(CC) -std=gnu11 -I$(B)/proto $(CFLAGS) $(SAN) -c -o $@ $<
$(B)/genrec: proto/genrec.c user/lib/record.c user/lib/kind.c user/lib/arena.c $(B)/proto/event.pb-c.c
	$(call say,CC,$@)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -Iuser -I$(B)/proto -O1 -o $@ $^ -lprotobuf-c
$(B)/record.h: $(B)/genrec
	$(call say,GEN,$@)
	$(Q)$(B)/genrec > $@

# ---- BPF: one object a family, linked into one skeleton ----
$(B)/bpf/%.bpf.o: bpf/%.bpf.c $(B)/record.h
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D) && $(CLANG) $(BPFFLAGS) -MMD -MP -c -o $@ $<
$(B)/rollcall.bpf.o: $(BPF_OBJ)
	$(Q)/usr/sbin/bpftool gen object $@ $^
$(B)/rollcall.skel.h: $(B)/rollcall.bpf.o
	$(call say,SKEL,$@)
	$(Q)/usr/sbin/bpftool gen skeleton $< name rollcall > $@

# ---- programs ----
$(B)/%.o: %.c | $(PROTO_C:%.c=%.h) $(B)/rollcall.skel.h
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(ALLCFLAGS) -c -o $@ $<
$(B)/librollcall.a: $(LIB_OBJ)
	$(Q)rm -f $@ && ar rcs $@ $^
define program
$(B)/$(1): $(SRC_$(2):%.c=$(B)/%.o) $(B)/librollcall.a
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(CFLAGS) $$(SAN) -o $$@ $$^ $$(LIBS_$(2)) $$(LIBS)
endef
$(eval $(call program,rollcall-sensor,sensor))
$(eval $(call program,rollcall-aggregator,aggregator))
$(eval $(call program,rollcall,cli))
$(B)/man/%: docs/man/%.scd
	$(Q)mkdir -p $(@D) && scdoc < $< > $@

# ---- tests ----
.SECONDEXPANSION:
$(B)/tests/%: tests/%.c $$(call links,tests/$$*.c) $(HEADERS) $(B)/librollcall.a $(B)/rollcall.skel.h
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(ALLCFLAGS) -I. -Itests -o $@ $< $(call links,$<) \
	  $(B)/librollcall.a -lcmocka $(if $(findstring e2e/,$@)$(findstring bench/,$@),-lpq -lmariadb -I/usr/include/postgresql -I/usr/include/mariadb) \
	  -lsqlite3 $(LIBS_sensor) $(LIBS) -lpthread
$(B)/tests/fuzz/%: tests/fuzz/%.c $(HEADERS) $(LIB_SRC) $(B)/record.h | $(PROTO_C)
	$(call say,FUZZ,$<)
	$(Q)mkdir -p $(@D) && $(CLANG) -std=gnu11 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined \
	  -fno-sanitize-recover=undefined -I. -Iuser -Itests -I$(B) -I$(B)/proto -o $@ $< $(call links,$<) $(LIBS)

check: test-deps
	$(Q)$(MAKE) --no-print-directory programs tests
	$(Q)tests/run

check-style: test-deps
	$(Q)tests/style/check.sh
check-kernels: test-deps
	$(Q)$(MAKE) --no-print-directory programs tests
	$(Q)tests/kernel/vm/run
check-fresh:
	$(Q)packaging/install-packages test
	$(Q)tests/fresh/run
check-sanitize: test-deps
	$(Q)$(MAKE) --no-print-directory programs tests
	$(Q)tests/run sanitize
check-sigmahq: test-deps
	$(Q)$(MAKE) --no-print-directory programs
	$(Q)tests/sigmahq/run
demo: test-deps
	$(Q)$(MAKE) --no-print-directory programs
	$(Q)tests/e2e/demo.sh
bench: test-deps
	$(Q)$(if $(PEERS),packaging/install-packages peers)
	$(Q)$(MAKE) --no-print-directory programs tests
	$(Q)tests/bench/run --write
fuzz: test-deps
	$(Q)$(MAKE) --no-print-directory tests
	$(Q)tests/fuzz/run $(FUZZ_SECONDS)
format:
	$(Q)clang-format -i $$(git ls-files '*.c' '*.h')
install: programs
	$(Q)BUILD=$(B) packaging/install "$(DESTDIR)" "$(PREFIX)"
uninstall:
	$(Q)packaging/install --uninstall "$(DESTDIR)" "$(PREFIX)"
clean:
	$(Q)rm -rf $(B)

-include $(shell find $(B) -name '*.d' 2>/dev/null)
