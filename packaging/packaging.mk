# packaging.mk - install, uninstall, dist: included by the Makefile.

SHARE := $(PREFIX)/share
COMPLETION := $(BUILD)/polyrank.bash
PAGES := $(BUILD)/man1
INSTALLED_FILES = $(PREFIX)/bin/polyrank $(SHARE)/man/man1/polyrank.1 $(SHARE)/man/man1/polyrank-*.1 \
                  $(SHARE)/bash-completion/completions/polyrank
INSTALLED_FOLDERS = $(SHARE)/polyrank $(SHARE)/doc/polyrank $(SHARE)/modulefiles/polyrank
# Folders that others use too: taken out when empty, but never below these prefixes.
SHARED_FOLDERS = $(SHARE)/modulefiles $(SHARE)/bash-completion/completions $(SHARE)/bash-completion $(SHARE)/man/man1 \
                 $(SHARE)/man $(SHARE)/doc $(SHARE) $(PREFIX)/bin $(PREFIX)

.PHONY: install uninstall dist check-dist

$(COMPLETION): $(PROGRAM) packaging/completion packaging/completion.bash packaging/interface docs/jobs.md
	$(Q)packaging/completion $(PROGRAM) >$@.new && mv $@.new $@

$(PAGES)/.made: $(PROGRAM) packaging/man-pages packaging/interface
	$(Q)rm -rf $(@D) && packaging/man-pages $(PROGRAM) $(@D) && touch $@

install: $(PROGRAM) $(COMPLETION) $(PAGES)/.made ## into PREFIX (and DESTDIR): program, man pages, completion, module file, jobs
	install -d $(addprefix $(DESTDIR),$(PREFIX)/bin $(SHARE)/man/man1 $(SHARE)/bash-completion/completions $(INSTALLED_FOLDERS))
	install -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/polyrank
	install -m 644 man/polyrank.1 $(PAGES)/*.1 $(DESTDIR)$(SHARE)/man/man1/
	install -m 644 $(COMPLETION) $(DESTDIR)$(SHARE)/bash-completion/completions/polyrank
	sed 's|@PREFIX@|$(PREFIX)|g; s|@VERSION@|$(VERSION)|g; s|@MPI@|$(shell $(PROGRAM) --version | sed -n 's/^MPI *//p')|g' \
	    packaging/modulefile.in >$(DESTDIR)$(SHARE)/modulefiles/polyrank/$(VERSION)
	chmod 644 $(DESTDIR)$(SHARE)/modulefiles/polyrank/$(VERSION)
	cp -R jobs clusters studies data slurm $(DESTDIR)$(SHARE)/polyrank/
	cp scripts/mpi-env.sh scripts/mpirun-hosts $(DESTDIR)$(SHARE)/polyrank/
	cp -R README.md CHANGELOG.md LICENSE docs/* $(DESTDIR)$(SHARE)/doc/polyrank/

uninstall: ## take it out again
	rm -f $(addprefix $(DESTDIR),$(INSTALLED_FILES))
	rm -rf $(addprefix $(DESTDIR),$(INSTALLED_FOLDERS))
	@case $(PREFIX) in /usr|/usr/local) ;; \
	*) for folder in $(SHARED_FOLDERS); do rmdir --ignore-fail-on-non-empty $(DESTDIR)$$folder 2>/dev/null || true; done ;; esac

dist: ## source tarball polyrank-VERSION.tar.gz, of the last commit
	@git rev-parse --is-inside-work-tree >/dev/null 2>&1 || { echo "make dist needs the git repository"; exit 2; }
	git archive --prefix=polyrank-$(VERSION)/ -o polyrank-$(VERSION).tar.gz HEAD

check-dist: ## the tarball in a clean Debian root (root, debootstrap): builds, passes its tests, installs
	@packaging/check-dist
