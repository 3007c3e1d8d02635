# lib.sh - sourced by the parts of run.sh.

# Seconds that a command may take: a limit ends a hang; a loaded machine or a sanitized program is none.
LIMIT=${SAN:+600}
LIMIT=${LIMIT:-100}
OUTER=$((LIMIT + 20)) # around mpirun's own

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
    refuses_once "$name, alone" "$want" "$text" timeout $OUTER "$@" || return
    [ -z "${SAN:-}" ] || return 0 # a sanitized program starts slowly: one rank is enough to find what they find
    local command=$1
    shift
    refuses_once "$name, 3 ranks" "$want" "$text" timeout $OUTER mpirun --timeout $LIMIT -n 3 "$command" "$@"
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
    if timeout $OUTER "$@" >"$WORK/stdout" 2>"$WORK/stderr" </dev/null; then pass "$name"; else
        fail "$name" "exit status $?" "$WORK/stderr"
        return 1
    fi
}

# Virtual time and energy, which timing-only runs have too.
virtual() { python3 - "$1" <<'X'
import json, sys
run = json.load(open(sys.argv[1]))
curve = {k: run["curve"][k] for k in ("step", "virtual_time_ps", "energy_j", "learning_rate")}
print(json.dumps([run["device"], curve, run["virtual_time_ps"], run["energy_j"]], sort_keys=True, indent=1))
X
}

# train NAME N ARGUMENTS...: trains $file on N ranks (0: without mpirun) into the same folder, which is then renamed, since the
# folder's name is part of the job that a result holds.
train() {
    local name=$1 n=$2 launch=
    shift 2
    [ "$n" = 0 ] || launch="mpirun --timeout $LIMIT -n $n"
    rm -rf "$WORK/run" "$WORK/$name"
    works "$name" $launch "$POLYRANK" train "$file" -q -o "$WORK/run" "$@" || return 1
    mv "$WORK/run" "$WORK/$name"
    cp "$WORK/stdout" "$WORK/$name/stdout"
}

same() { # same NAME A B: equal byte for byte
    if cmp "$2" "$3" >"$WORK/cmp" 2>&1; then pass "$1"; else fail "$1" "differs" "$WORK/cmp"; fi
}

# same_everywhere NAME: trains $file without mpirun and on 1, 2, 3, 5 and 8 ranks, folded and not: equal files, equal stdout;
# timing-only equals functional.
same_everywhere() {
    local name=$1 trace=trace.json n f # compressed when it is large
    train "$name" 0 || return 1
    [ -e "$WORK/$name/$trace" ] || trace=trace.json.gz
    for n in 1 2 3 5 8; do
        train "$name-on-$n" $n || continue
        for f in result.h5 summary.json $trace stdout; do
            same "$name on $n ranks: $f" "$WORK/$name/$f" "$WORK/$name-on-$n/$f"
        done
    done
    train "$name-timing" 0 --timing-only || return 1
    virtual "$WORK/$name/summary.json" >"$WORK/functional"
    virtual "$WORK/$name-timing/summary.json" >"$WORK/timing"
    [ "$(wc -c <"$WORK/timing")" -gt 100 ] || fail "$name, timing only" "no times in the summary"
    same "$name: timing only equals functional" "$WORK/functional" "$WORK/timing"
}

# pick SEED INDEX WORD...: one of the words, each from its numbers alone.
pick() {
    local seed=$1 index=$2
    shift 2
    local n=$(( (seed * 7919 + index * 104729 + seed * index * 31) % $# + 1 ))
    echo "${!n}"
}
