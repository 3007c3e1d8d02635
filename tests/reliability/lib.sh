# lib.sh - sourced by kills.sh and kills_serve.sh, which set work, program, ranks, files, passed and failed and have start JOB N ARGUMENTS...

kill_one() { # kill_one PID: a random one of the ranks under it, or itself
    local all
    mapfile -t all < <(pgrep -P "$1")
    [ ${#all[@]} -gt 0 ] || all=("$1")
    kill -KILL "${all[$((RANDOM % ${#all[@]}))]}" 2>/dev/null
}

other() { # other N: another number of ranks
    local n=$1
    while [ "$n" = "$1" ]; do n=${ranks[$((RANDOM % ${#ranks[@]}))]}; done
    echo "$n"
}

# The name of the checkpoint that stands, or nothing.
standing_file() {
    local file
    for file in "$work/run/checkpoint.h5" "$work/run/checkpoint.prev.h5"; do
        [ ! -e "$file" ] || { echo "$file"; return; }
    done
}

# Runs to the end, compares every file with that of the run that nobody killed, ends the row and counts its kills.
finish() { # finish KILLS JOB N ARGUMENTS...
    local rows=$1 job=$2 result=equal f
    shift
    if ! start "$@"; then
        result="FAILED: $(grep -m 1 '^polyrank: ' "$work/stderr")"
    else
        for f in $files; do
            [ -e "$work/$job/$f" ] || continue
            cmp -s "$work/$job/$f" "$work/run/$f" || result="DIFFERS: $f"
        done
    fi
    printf '  %s\n' "$result"
    if [ "$result" = equal ]; then passed=$((passed + rows)); else failed=$((failed + rows)); fi
}
