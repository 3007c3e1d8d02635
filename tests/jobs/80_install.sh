# 80_install.sh - make install, what it installs, and make uninstall: man pages, completion and module file against the program.
. tests/jobs/lib.sh
[ -z "${SAN:-}" ] || exit 0 # packaging is the same

root=$WORK/root
prefix=/opt/polyrank
works "make install" make --no-print-directory ${COV:+COV=1} BUILD="${BUILD:-build}" PREFIX=$prefix DESTDIR="$root" install || exit
installed=$root$prefix
cp -R "$installed/share/polyrank" "$WORK/share"
(cd "$WORK" && works "an installed job, from elsewhere" "$installed/bin/polyrank" plan share/jobs/demo.yaml)
packaging/interface "$POLYRANK" >"$WORK/interface"

# Every verb has a page, and pages say what groff has nothing against.
sed -n 's/^verb\t\([^\t]*\)\t.*/\1/p' "$WORK/interface" | tr ' ' '-' | sort >"$WORK/verbs"
(cd "$installed/share/man/man1" && ls polyrank-*.1) | sed 's/^polyrank-//; s/\.1$//' | sort >"$WORK/pages"
same "a man page for each verb" "$WORK/verbs" "$WORK/pages"
[ "$(wc -l <"$WORK/verbs")" -gt 15 ] || fail "a man page for each verb" "only $(wc -l <"$WORK/verbs") verbs were found"
for verb in $("$POLYRANK" --help | sed -n '/^usage/,/VERB --help/s/^  \([a-z]*\) .*/\1/p' | grep -v polyrank); do
    grep -q "^\.[BT].*$verb" man/polyrank.1 && pass "man/polyrank.1 has $verb" || fail "man/polyrank.1 has $verb" "it has not"
done
if command -v groff >/dev/null; then
    for page in "$installed"/share/man/man1/*.1; do groff -man -ww -z -Tutf8 "$page"; done >"$WORK/groff" 2>&1
    if [ -s "$WORK/groff" ]; then fail "man pages" "groff complains" "$WORK/groff"; else pass "man pages"; fi
fi

# Completion offers exactly the options that the usage line of each verb has (another part of the help than it is made from).
completion=$installed/share/bash-completion/completions/polyrank
bash -n "$completion" && pass "completion is bash" || fail "completion is bash" "it is not"
. "$completion"
while IFS=$'\t' read -r kind verb _; do
    [ "$kind" = verb ] || continue
    # shellcheck disable=SC2086
    "$POLYRANK" $verb --help | sed '/^ *$/,$d' | grep -o -- '\[--[a-z0-9-]*' | tr -d '[' | sort -u >"$WORK/usage"
    _polyrank_options "$verb" | tr ' ' '\n' | grep -- '^--' | sort >"$WORK/offered"
    same "completion of $verb" "$WORK/usage" "$WORK/offered"
done <"$WORK/interface"

offers() { # offers NAME WANTED WORD...: the last word completes to a list that holds WANTED
    local name=$1 wanted=$2
    shift 2
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    COMPREPLY=()
    _polyrank
    if printf '%s\n' "${COMPREPLY[@]}" | grep -qxF -- "$wanted"; then pass "$name"; else
        fail "$name" "offers '${COMPREPLY[*]:0:8}', not '$wanted'"
    fi
}
offers "verbs" serve polyrank se
offers "verbs of a verb" baseline polyrank data ""
offers "options" --timing-only polyrank train --ti
offers "options of a verb's verb" --tokenizer polyrank model import --
offers "options after a file" --set polyrank plan jobs/demo.yaml --se
offers "keys" train.epochs= polyrank train jobs/demo.yaml --set train.ep
offers "keys after =" serve.max_batch= polyrank serve jobs/story.yaml --set = serve.max_b
offers "devices" h100-sxm polyrank devices h10
offers "models" llama-3-8b polyrank model info llama-3-
offers "files" jobs/demo.yaml polyrank plan jobs/dem
offers "folders" tests/jobs polyrank train --output tests/jo

# The module file, read by Tcl with its commands recorded.
if command -v tclsh >/dev/null; then
    cat >"$WORK/module.tcl" <<'T'
proc module-whatis {text} {}
proc conflict {name} {}
proc prepend-path {name value} { puts "$name=$value" }
proc setenv {name value} { puts "$name=$value" }
source [lindex $argv 0]
T
    works "module file" tclsh "$WORK/module.tcl" "$installed"/share/modulefiles/polyrank/[0-9]*
    grep -qx "PATH=$prefix/bin" "$WORK/stdout" && pass "module file sets PATH" || fail "module file sets PATH" "it does not" "$WORK/stdout"
fi
works "Spack recipe is Python" python3 -c 'import ast, sys; ast.parse(open("packaging/spack/package.py").read())'

works "make uninstall" make --no-print-directory ${COV:+COV=1} BUILD="${BUILD:-build}" PREFIX=$prefix DESTDIR="$root" uninstall
if [ -z "$(find "$root" -mindepth 1 ! -path "$root/opt")" ]; then pass "uninstall leaves nothing"; else
    find "$root" >"$WORK/left"
    fail "uninstall leaves nothing" "$(find "$root" -type f | wc -l) files left" "$WORK/left"
fi
