# lib.sh - what the parts of run.sh share.
. tests/jobs/lib.sh

folder() { # folder NAME: a place to run jobs/demo.yaml in, the same for every launcher; its path
    mkdir -p "$WORK/$1" && ln -s "$ROOT"/{jobs,data,clusters} "$WORK/$1/" && echo "$WORK/$1"
}

# same_run NAME FOLDER [PLAIN]: all files of FOLDER/run equal those of $WORK/PLAIN/run, that plain mpirun has made.
same_run() {
    local file
    for file in result.h5 summary.json trace.json; do
        same "$1: $file" "$WORK/${3:-plain}/run/$file" "$2/run/$file"
    done
}

now_ms() { echo "$(($(date +%s%N) / 1000000))"; }
seconds_since() { # seconds_since MILLISECONDS
    local took=$(($(now_ms) - $1))
    printf '%d.%03d' $((took / 1000)) $((took % 1000))
}
