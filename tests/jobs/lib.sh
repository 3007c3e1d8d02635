# lib.sh - sourced by the parts of run.sh.
pass() { echo "$1" >>"$PASSED"; }
fail() { # fail NAME REASON [FILE]: shows the end of FILE
    echo "$1: $2" >>"$FAILED"
    echo "   FAILED $1: $2"
    [ $# -lt 3 ] || tail -n 5 "$3" | sed 's/^/      | /'
}

# refuses NAME EXIT TEXT COMMAND...: alone and on 3 ranks, exits with EXIT, prints exactly one line on stderr that holds TEXT,
# nothing on stdout, and leaves no new file in $OUT.
refuses() {
    local name=$1 want=$2 text=$3
    shift 3
    local out=$WORK/stdout err=$WORK/stderr
    refuses_once "$name, alone" "$want" "$text" timeout 60 "$@" || return
    [ -z "${SAN:-}" ] || return 0 # a sanitized program starts slowly: one rank is enough to find what they find
    local command=$1
    shift
    refuses_once "$name, 3 ranks" "$want" "$text" timeout 60 mpirun --timeout 50 -n 3 "$command" "$@"
}

refuses_once() {
    local name=$1 want=$2 text=$3
    shift 3
    rm -rf "$WORK/out"
    "$@" >"$out" 2>"$err" </dev/null
    local got=$?
    # mpirun adds a notice of its own when a rank exits with a status other than 0.
    sed -i '/^--------------------------------------------------------------------------$/,/^--------------------------------------------------------------------------$/d; /^$/d' "$err"
    if [ "$got" != "$want" ]; then fail "$name" "exit status $got, expected $want" "$err"; return 1; fi
    if ! grep -qF -- "$text" "$err"; then fail "$name" "no message with '$text'" "$err"; return 1; fi
    if [ "$(grep -c '^polyrank: ' "$err")" != 1 ]; then fail "$name" "not exactly one message" "$err"; return 1; fi
    if [ -s "$out" ]; then fail "$name" "output on stdout" "$out"; return 1; fi
    if [ -e "$WORK/out" ] && [ -n "$(find "$WORK/out" -type f)" ]; then fail "$name" "left files behind"; return 1; fi
    pass "$name"
}

# works NAME COMMAND...: exits with 0; stdout in $WORK/stdout.
works() {
    local name=$1
    shift
    if timeout 120 "$@" >"$WORK/stdout" 2>"$WORK/stderr" </dev/null; then pass "$name"; else
        fail "$name" "exit status $?" "$WORK/stderr"
        return 1
    fi
}
